"""The points that all contestants get, each determined by its number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NAMES = (
    *("http.requests", "http.bytes_sent", "disk.reads", "net.packets"),
    *("mem.used_percent", "cpu.load", "queue.depth"),
    *("http.latency", "db.latency", "cache.hit_ratio"),
)
HOSTS = 200
SERIES = len(NAMES) * HOSTS
INTERVAL = 10
"""Seconds between two points of a series. Each host reports at its own second within it."""

FIRST_SECOND = 1_735_689_600
COUNTERS, GAUGES = 4, 7


class Point(NamedTuple):
    """`value` is the number as text, the same digits for every contestant; `second` since 1970."""

    name: str
    second: int
    value: str
    tags: dict[str, str]


def point(number: int, *, ever_new: bool = False) -> Point:
    """Return the point of that number.

    Numbers go through the names of a host, then the hosts, then time. With `ever_new` no host is
    repeated, so that every point starts a new series.
    """
    name = number % len(NAMES)
    place = number // len(NAMES)
    host = place if ever_new else place % HOSTS
    turn = number // SERIES
    second = FIRST_SECOND + turn * INTERVAL + host * 7 % INTERVAL
    return Point(NAMES[name], second, _value(name, host, turn), tags(host))


def points(first: int, count: int, *, ever_new: bool = False) -> Iterator[Point]:
    """Yield `count` points from the one with number `first` on."""
    return (point(number, ever_new=ever_new) for number in range(first, first + count))


def tags(host: int) -> dict[str, str]:
    """Return the four tags of a host."""
    datacenter = f"dc{host % 4}"
    return {
        "host": f"host-{host:03d}.{datacenter}.example",
        "datacenter": datacenter,
        "service": f"checkout-{host % 20}",
        "env": "staging" if host % 5 == 0 else "production",
    }


def _value(name: int, host: int, turn: int) -> str:
    noise = _mixed((turn * 1_000_003 + host) * len(NAMES) + name)
    if name < COUNTERS:
        return str(host * 10_000 + turn * 40 + noise % 40)
    if name < GAUGES:
        return f"{noise % 10_000 / 100:.2f}"
    return f"{noise % 1_000_000 / 1_000_000:.6f}"


def _mixed(number: int) -> int:
    """Return 64 bits that look random: the finalizer of splitmix64."""
    mask = 0xFFFF_FFFF_FFFF_FFFF
    number = number * 0x9E37_79B9_7F4A_7C15 & mask
    number = (number ^ number >> 30) * 0xBF58_476D_1CE4_E5B9 & mask
    number = (number ^ number >> 27) * 0x94D0_49BB_1331_11EB & mask
    return number ^ number >> 31
