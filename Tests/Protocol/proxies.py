"""Proxies in front of a server, run with the configurations that proto/SESSION.md §18 shows."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import session_document

KINDS = ("nginx", "haproxy", "nghttpx")
# Where the document's server and proxy listen, and how long it lets be idle.
SERVER, PROXY, IDLE = "7001", "7002", "60s"
READY_SECONDS, PATIENCE = 20, 30
# nginx is given a file of a folder that its main configuration includes; this is the rest of it,
# for a process without privileges that leaves nothing outside of its own folder.
NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
{user}
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/crescendo.conf;
}}
"""


def snippet(kind):
    """The document's configuration of that proxy, as it stands there."""
    (block,) = session_document.blocks(kind)
    return block


def configuration(kind, server_port, port, idle):
    """The same with ports and times of a test's own; nothing else is changed."""
    made = snippet(kind)
    for said, wanted in ((SERVER, str(server_port)), (PROXY, str(port)), (IDLE, idle)):
        made, count = re.subn(rf"(?<!\d){said}(?!\w)", wanted, made)
        assert count, f"{kind}: no {said} in the configuration of §18"
    return made


def free_port():
    """One that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Proxy:
    """A running proxy on a free port of loopback; `idle`: its time-outs, as it writes them."""

    def __init__(self, kind, server_port, folder, idle=IDLE):
        self.kind, self.folder = kind, folder
        self.log = tempfile.NamedTemporaryFile("w+", dir=folder, prefix="log-", suffix=".txt")
        limit = time.monotonic() + READY_SECONDS
        # Somebody else may have taken the port meanwhile: then it ends at once, and has another.
        while not self._start(server_port, idle, limit):
            assert time.monotonic() < limit, f"does not listen{self.story()}"

    def _start(self, server_port, idle, limit):
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        file = self.folder / "crescendo.conf"
        file.write_text(configuration(self.kind, server_port, self.port, idle))
        self.process = subprocess.Popen(
            self._command(file), stdout=self.log, stderr=subprocess.STDOUT, cwd=self.folder)
        while self.alive and time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self.alive
            except OSError:
                time.sleep(0.01)
        self.kill()
        return False

    def _command(self, file):
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
        program = shutil.which(self.kind, path=path)
        assert program, f"there is no {self.kind}: run `tools/setup test`"
        if self.kind == "nginx":
            main = self.folder / "nginx.conf"
            # Otherwise its worker would be a user who may not read the folder.
            user = "user root;" if os.getuid() == 0 else ""
            main.write_text(NGINX.format(folder=self.folder, user=user))
            return [program, "-p", self.folder, "-c", main, "-e", "stderr"]
        if self.kind == "haproxy":
            return [program, "-db", "-f", file]
        return [program, f"--conf={file}", "--accesslog-file=/dev/null", "--workers=1",
                f"--pid-file={self.folder / 'nghttpx.pid'}"]

    @property
    def alive(self):
        return self.process.poll() is None

    def story(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return f"\n{self.kind}, exit {self.process.poll()}:\n{file.read()[-6000:]}"

    def check(self):
        assert self.alive, "the proxy has died" + self.story()

    def drain(self):
        """Told to stop as soon as nothing is under way."""
        self.check()
        self.process.send_signal(
            signal.SIGUSR1 if self.kind == "haproxy" else signal.SIGQUIT)

    def kill(self):
        """At once, with its workers: they end with the process that started them."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def begin_proxy(tmp_path_factory):
    """Starts proxies that end with the module."""
    made = []

    def begin(kind, port, **options):
        made.append(Proxy(kind, port, tmp_path_factory.mktemp(kind), **options))
        return made[-1]

    yield begin
    for proxy in made:
        proxy.kill()
