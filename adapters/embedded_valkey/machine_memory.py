"""The memory of this machine, or of the container that this process runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def machine_memory(cgroups: Path = CGROUPS, own_cgroups: Path = OWN_CGROUPS) -> int:
    """Return the bytes of physical memory, or the lowest limit of this process's cgroups if less.

    Reads the limits of cgroups of version 1 and 2, as Linux mounts them. A limit that cannot be
    read does not count.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_limits(cgroups, own_cgroups)])


def _limits(cgroups: Path, own_cgroups: Path) -> Iterator[int]:
    for file in _limit_files(cgroups, own_cgroups):
        try:
            yield int(file.read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue


def _limit_files(cgroups: Path, own_cgroups: Path) -> Iterator[Path]:
    try:
        lines = own_cgroups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Each cgroup above has a limit too. In a container, the path may be that of the host.
        own = Path(path.lstrip("/"))
        for cgroup in (own, *own.parents):
            yield root / cgroup / name
