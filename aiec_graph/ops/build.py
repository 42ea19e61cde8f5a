"""Compiles the kernels with the system's C++ compiler, once a machine, and loads them.

Where there is no compiler, or it does not know what the kernels use, there are none: whoever asks
for them has a way without.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

# Before the kernels: they share torch's OpenMP, and so its threads, if that is in the process.
import torch  # noqa: F401
from platformdirs import user_cache_path

SWITCH = "AIEC_NATIVE"
"""Environment variable: "0" leaves the kernels out."""

FOLDER = Path(__file__).with_name("kernels")
SOURCE = FOLDER / "kernels.cpp"
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared")
# What torch is built with: errno and traps that nobody reads would keep loops from vectors.
FLAGS += ("-fno-math-errno", "-fno-trapping-math")

_log = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels; None where they are switched off or cannot be had."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if os.environ.get(SWITCH) == "0" or not compiler:
        return None
    try:
        return ctypes.CDLL(str(_built(compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        _log.info("no compiled kernels: %s", error)
        return None


def _built(compiler: str) -> Path:
    """The shared object, compiled unless one of this source, compiler and processor is there."""
    folder = Path(os.environ.get("AIEC_CACHE_DIR") or user_cache_path("aiec_graph")) / "native"
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True).stdout
    sources = (path.read_bytes() for path in (SOURCE, *sorted(FOLDER.glob("*.h"))))
    parts = (*sources, version, _processor(), " ".join(FLAGS).encode())
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]
    path = folder / f"{name}.so"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    # Beside it and renamed: another process may be at the same.
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        new = Path(beside) / path.name
        command = [compiler, *FLAGS, str(SOURCE), "-o", str(new)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise OSError(f"{compiler} failed: {done.stderr[-400:]}")
        new.replace(path)
    return path


def _processor() -> bytes:
    """What -march=native depends on: a cache may be shared by machines of different makes."""
    try:
        text = Path("/proc/cpuinfo").read_bytes()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}".encode()
    first = text.split(b"\n\n", 1)[0].splitlines()
    return b"\n".join(line for line in first if line.startswith((b"flags", b"model", b"Features")))
