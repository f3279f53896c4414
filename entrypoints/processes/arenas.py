"""The arenas of malloc: heaps of its own for each of many threads.

glibc makes up to eight per core, and what is freed in one is not used by the threads of another.
Python's lock lets few threads allocate at a time, so two are enough: that saves some 10 MB.
"""

from __future__ import annotations

import ctypes
import os

VARIABLES = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
"""Settings of the user, which come first."""

ARENAS = 2

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def limit_arenas() -> None:
    """Let this process have `ARENAS`. Does nothing where malloc has none, as in other libraries."""
    if any(name in os.environ for name in VARIABLES):
        return
    library = ctypes.CDLL(None)
    # Other libraries may have `mallopt`, with other meanings.
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_M_ARENA_MAX, ARENAS)
