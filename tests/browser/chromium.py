"""Debian's Chromium: installed, or unpacked with what it needs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.debian import CACHE, data, fetch, library_path, program

ARGUMENTS = ("--no-sandbox",)
"""Root and most containers cannot have the sandbox, and only our own page is opened."""

BINARY = "/usr/lib/chromium/chromium"
"""What the script `chromium` runs; the script finds it only where it is installed."""


def chromium_path() -> Path | None:
    """Return the program's path, None if it is neither installed nor unpacked."""
    found = program("chromium")
    return data(BINARY) if found and found.is_relative_to(CACHE) else found


def environment(path: Path) -> dict[str, str | float | bool]:
    """Return the variables to run it with."""
    if path.is_relative_to(CACHE):
        return {**os.environ, "LD_LIBRARY_PATH": library_path()}
    return dict(os.environ)


def fetch_chromium() -> None:
    """Unpack Chromium and the libraries that this machine lacks; it needs no privileges.

    Raises OSError, CalledProcessError.
    """
    simulated = subprocess.run(
        ["apt-get", "install", "--simulate", "--no-install-recommends", "chromium"],
        check=True,
        capture_output=True,
        text=True,
    )
    fetch(*re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE))
