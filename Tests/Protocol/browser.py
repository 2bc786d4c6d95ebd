"""A page in headless Chromium: its DOM after its scripts, what its console said, its picture."""

import base64
import hashlib
import re
import shutil
import struct
import subprocess
import zlib

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """The browser, or the test is skipped."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium: `tools/setup test` installs it")


def chromium(tmp_path, page, *arguments):
    """Runs the browser on a file, offline: every name resolves to nothing."""
    done = subprocess.run(
        [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions",
         "--disable-component-update", "--disable-background-networking", "--no-first-run",
         "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", *arguments,
         page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.args}: exit {done.returncode}\n{done.stderr[-3000:]}"
    return done


class Visit:
    """A page that was opened: its DOM as text, the lines of its console, what it asked for."""

    def __init__(self, tmp_path, page):
        log = tmp_path / f"{page.stem}-net.json"
        done = chromium(tmp_path, page, f"--log-net-log={log}", "--dump-dom")
        self.dom = done.stdout
        self.console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        # The browser has requests of its own; a page's stand in the page's own compartment.
        self.requests = re.findall(
            r'"network_isolation_key":"file:[^{}]*\{[^{}]*\}[^{}]*"url":"([^"]+)"'
            r'|"network_isolation_key":"file:[^{}]*"url":"([^"]+)"',
            log.read_text(errors="replace"))


def screenshot(tmp_path, page, width, height, dark=False):
    """Rows of pixels, each a tuple of three bytes."""
    picture = tmp_path / f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"
    chromium(tmp_path, page, f"--screenshot={picture}", f"--window-size={width},{height}",
             f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    return pixels(picture.read_bytes())


def pixels(png):
    """Of an 8-bit RGB or RGBA picture without interlacing, which is what the browser writes."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n", png[:8]
    at, packed, head = 8, b"", None
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        head = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour, _, _, interlace = head
    assert (depth, interlace) == (8, 0) and colour in (2, 6), head
    step = 3 if colour == 2 else 4
    raw, stride, rows = zlib.decompress(packed), width * step, []
    before = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1:start + 1 + stride]), before, step)
        rows.append([tuple(line[i:i + 3]) for i in range(0, stride, step)])
        before = line
    return rows


def unfiltered(kind, line, above, step):
    """A row of bytes without PNG's filter (RFC 2083 §6)."""
    for i in range(len(line) if kind else 0):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        if kind == 4:
            estimate = left + above[i] - corner
            add = min((left, above[i], corner), key=lambda value: abs(estimate - value))
        else:
            add = {1: left, 2: above[i], 3: (left + above[i]) // 2}[kind]
        line[i] = (line[i] + add) & 255
    return line


def script_digest(page):
    """Of the page's only script, as its policy must name it."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 1, f"{len(scripts)} scripts"
    return "sha256-" + base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
