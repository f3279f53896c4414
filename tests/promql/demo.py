"""The series of `expressions.txt`: rooms with temperatures, requests, disks and a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from tests.promql.samples import SampleSeries, counter, gauge, part

ROOMS = (("attic", ""), ("hall", "1"), ("hall", "2"), ("kitchen", "1"), ("kitchen", "2"))
BOUNDS = ("0.05", "0.1", "0.5", "1", "+Inf")


def demo_series() -> Sequence[SampleSeries]:
    """Return all of them. Values, gaps, resets and odd numbers differ by series."""
    plain = [
        gauge(labels, number) if "total" not in labels["__name__"] else counter(labels, number)
        for number, labels in enumerate(_labels())
    ]
    return [*plain, *_changing(), *_histogram()]


def _labels() -> Iterator[Mapping[str, str]]:
    for room, floor in ROOMS:
        yield _named("demo_temperature_celsius", room=room, floor=floor)
    for room, floor in (*ROOMS[1:], ("cellar", "0")):
        yield _named("demo_temperature_kelvin", room=room, floor=floor)
    for path, status, instance in product(("/a", "/b", "/c"), ("200", "500"), ("i1", "i2")):
        yield _named("demo_requests_total", path=path, status=status, instance=instance)
    for instance, cpu, mode in product(("i1", "i2"), ("0", "1"), ("idle", "user")):
        yield _named("demo_cpu_seconds_total", instance=instance, cpu=cpu, mode=mode)
    for instance, device in product(("i1", "i2"), ("sda", "sdb")):
        yield _named("demo_disk_size_bytes", instance=instance, device=device)
        yield _named("demo_disk_free_bytes", instance=instance, device=device)


def _changing() -> Iterator[SampleSeries]:
    """Yield a series per room whose label changes halfway in two rooms, so that others follow."""
    for number, room in enumerate(("attic", "cellar", "hall", "kitchen")):
        cold = gauge(_named("demo_room_info", room=room, kind="cold"), 3 * number)
        warm = gauge(_named("demo_room_info", room=room, kind="warm"), 3 * number)
        middle = len(cold.times) // 2
        if number < 2:
            yield part(cold, slice(middle))
            yield part(warm, slice(middle + 30, None))
        else:
            yield warm


def _histogram() -> Iterator[SampleSeries]:
    """Yield buckets; one of them is missing for a while, so that its neighbours count."""
    for path in ("/a", "/b"):
        for number, bound in enumerate(BOUNDS, 1):
            labels = _named("demo_latency_seconds_bucket", path=path, le=bound)
            bucket = counter(labels, ord(path[1]) * 5, number)
            yield part(bucket, slice(300)) if (path, bound) == ("/b", "0.5") else bucket


def _named(name: str, **labels: str) -> Mapping[str, str]:
    return {"__name__": name, **{label: value for label, value in labels.items() if value}}
