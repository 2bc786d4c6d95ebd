"""The kernels as they were built: no fused multiply-add, which would change a score's last bit, and
no instruction that an old CPU lacks where nothing has asked whether it is there."""

import pathlib
import re
import shutil
import subprocess

import process

FUSED = re.compile(r"\b(vfn?m(add|sub)\w*|fn?m(add|sub|la|ls))\b")
KERNELS = ("crescendo_dot_f32", "crescendo_dot_f16", "crescendo_dot_i8")
NEWER = re.compile(r"%[yz]mm|\bv?pclmul|\bcrc32")


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


def test_only_what_was_chosen_needs_a_newer_cpu():
    for symbol in (*KERNELS, "crescendo_crc32c", "crescendo_crc32c_frame",
                   "crescendo_crc32c_available"):
        found = NEWER.search(disassembly(process.binary(), symbol))
        assert not found, f"{symbol} has {found[0]}"


def test_a_newer_instruction_would_be_seen():
    """The same look at the implementations that have such instructions."""
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()
    if machine == "x86_64":
        assert NEWER.search(disassembly(process.binary(), "crc32c_update_512"))
