"""The kernels as they were built: no fused multiply-add, which would change a score's last bit."""

import pathlib
import re
import shutil
import subprocess

import process

FUSED = re.compile(r"\b(vfn?m(add|sub)\w*|fn?m(add|sub|la|ls))\b")
KERNELS = ("crescendo_dot_f32", "crescendo_dot_f16", "crescendo_dot_i8")


def disassembly(path, symbol):
    """The instructions of one function, by binutils."""
    text = subprocess.run(["objdump", "-d", f"--disassemble={symbol}", path],
                          capture_output=True, text=True, check=True).stdout
    assert f"<{symbol}>:" in text, f"{symbol} is not in {path}: inlined away, or renamed?"
    return text


def test_no_kernel_is_fused():
    for symbol in KERNELS:
        text = disassembly(process.binary(), symbol)
        assert re.search(r"\bv?mul(p|s)s\b|\bfmul\b|\bpmul|\bpmadd|\bimul|\bmla\b|\bsmlal", text), (
            f"{symbol} multiplies nothing: {text[:2000]}")
        found = FUSED.search(text)
        assert not found, f"{symbol} has {found[0]}"


def test_a_fused_kernel_would_be_seen(tmp_path):
    """The same look at a function that was fused on purpose."""
    swift = pathlib.Path(shutil.which("swift")).resolve()
    source = tmp_path / "fused.c"
    source.write_text("float fused(float a, float b, float c) { return a * b + c; }\n")
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()
    flags = ["-mfma"] if machine == "x86_64" else []
    subprocess.run([swift.with_name("clang"), "-O2", "-ffp-contract=fast", *flags, "-c", source,
                    "-o", tmp_path / "fused.o"], check=True)
    assert FUSED.search(disassembly(tmp_path / "fused.o", "fused"))
