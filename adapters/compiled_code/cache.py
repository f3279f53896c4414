"""Where object code is kept: beside its source, or in the user's cache directory."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

BESIDE = "__pycache__"


def source_files(modules: Sequence[str]) -> list[Path]:
    """Return the files of modules, by name. Raises ImportError."""
    specs = [find_spec(name) for name in modules]
    return [Path(spec.origin) for spec in specs if spec is not None and spec.origin is not None]


def file_name(label: str, sources: Sequence[Path]) -> str:
    """Return the name of a file of object code. Whatever can change the code changes the name."""
    digest = hashlib.sha256(repr((sys.version_info[:2], version("llvmlite"))).encode())
    for file in (*sources, *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{label}-{sys.platform}-{platform.machine()}-{digest.hexdigest()[:24]}.o"


def found(name: str, beside: Path) -> bytes | None:
    """Return the content of a cached file, None if there is none."""
    for directory in _directories(beside):
        try:
            return (directory / name).read_bytes()
        except OSError:
            continue
    return None


@contextmanager
def writable(beside: Path) -> Iterator[Path | None]:
    """Lock the first directory that can be written to, and yield it; None if there is none.

    While one process compiles, others that need the same code wait for it.
    """
    for directory in _directories(beside):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / "compiling.lock").open("wb")
        except OSError:
            continue
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield directory
        return
    yield None


def keep(directory: Path, name: str, content: bytes) -> None:
    """Write a file, which appears with all its content; beside the source, delete older ones."""
    with NamedTemporaryFile(dir=directory, suffix=".new", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)  # an image is built by one user, and used by another
    Path(file.name).replace(directory / name)
    if directory.name == BESIDE:  # another directory may serve several installations
        for old in directory.glob(f"{name.rpartition('-')[0]}-*.o"):
            if old.name != name:
                old.unlink(missing_ok=True)


def _directories(beside: Path) -> Iterator[Path]:
    yield beside.parent / BESIDE
    if caches := os.environ.get("XDG_CACHE_HOME"):
        yield Path(caches) / "cave"
    else:
        with suppress(RuntimeError):  # there is no home directory
            yield Path.home() / ".cache" / "cave"
