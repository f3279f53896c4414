"""The memory of the machine or container."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.embedded_valkey.machine_memory import machine_memory

MB = 1 << 20


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    return Limits(tmp_path)


class Limits:
    """The files of cgroups, in a directory."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "cgroup"
        self.own = directory / "own"

    def belongs_to(self, *lines: str) -> None:
        self.own.write_text("".join(f"{line}\n" for line in lines))

    def set(self, file: str, limit: object) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")

    def memory(self) -> int:
        return machine_memory(self.root, self.own)


def test_without_limits_it_is_the_physical_memory(limits: Limits) -> None:
    physical = limits.memory()
    (total,) = [
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    ]
    assert physical == total
    limits.belongs_to("0::/a")
    assert limits.memory() == physical
    limits.set("a/memory.max", "max")
    assert limits.memory() == physical
    limits.set("a/memory.max", physical * 2)
    assert limits.memory() == physical


@pytest.mark.parametrize("lowest", ["", "a/", "a/b/"])
def test_the_lowest_limit_of_the_own_cgroup_and_those_above_it_counts(
    limits: Limits, lowest: str
) -> None:
    limits.belongs_to("0::/a/b")
    for cgroup in ("", "a/", "a/b/"):
        limits.set(f"{cgroup}memory.max", 8 * MB if cgroup == lowest else 16 * MB)
    limits.set("other/memory.max", MB)
    assert limits.memory() == 8 * MB


def test_cgroups_of_version_1_count_too(limits: Limits) -> None:
    limits.belongs_to("5:cpu,cpuacct:/x", "4:memory:/docker/c", "1:name=systemd:/x")
    limits.set("memory/memory.limit_in_bytes", 8 * MB)
    limits.set("memory/x/memory.limit_in_bytes", MB)
    assert limits.memory() == 8 * MB
