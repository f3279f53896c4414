"""Programs from Debian packages, installed or unpacked beside the project.

Unpacking needs no privileges. What is unpacked is in `.clients/debian`, which git ignores.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

CACHE = Path(__file__).parents[1] / ".clients"
_ROOT = CACHE / "debian"


def program(name: str) -> Path | None:
    """Return the path of a program, None if it is neither installed nor unpacked."""
    if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return Path(found)
    places = (_ROOT / "usr" / directory / name for directory in ("bin", "sbin"))
    return next((path for path in places if path.exists()), None)


def data(path: str) -> Path:
    """Return where a package's file or directory is, given its path when installed."""
    unpacked = _ROOT / path.removeprefix("/")
    return unpacked if unpacked.exists() else Path(path)


def library_path() -> str:
    """Return the value of LD_LIBRARY_PATH for programs that were unpacked."""
    return ":".join(str(path) for path in (_ROOT / "usr" / "lib").glob("*-linux-gnu"))


def fetch(*packages: str) -> None:
    """Download and unpack packages. Raises OSError, CalledProcessError."""
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as directory:
        subprocess.run(
            ["apt-get", "download", "--quiet", *packages],
            cwd=directory,
            check=True,
            capture_output=True,
        )
        for archive in sorted(Path(directory).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", archive, _ROOT], check=True)
