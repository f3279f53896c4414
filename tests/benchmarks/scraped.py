"""Series as Prometheus scrapes them, and the write requests that carry their samples.

Counters grow and restart now and then, the counts of a histogram's buckets grow with the bound, and
gauges wander. Each instance is scraped at a time of its own within the interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

import cramjam
import numpy as np
import numpy.typing as npt

from application.reading.series import NAME
from tests.promql.demo import demo_series
from tests.promql.synthetic import BOUNDS, COUNTERS, fitting_labels

INTERVAL = 15_000
"""Milliseconds between two samples of a series."""

START = 1_735_689_600_000
"""The time before the first samples, in ms: the beginning of a day."""

ROUNDS_PER_REQUEST = 5

TIME_BYTES = 6
"""A time in ms as a variable-length integer, until the year 2109."""

SAMPLE_BYTES = 12 + TIME_BYTES
RESTART = 0.0003
"""The share of samples before which a counter starts again."""

Labels = Mapping[str, str]
Bytes = npt.NDArray[np.uint8]


def labels_for(expressions: Sequence[str], count: int) -> Sequence[Labels]:
    """Return the labels of `count` series, which fit the selectors of the expressions.

    If fewer fit, further ones differ from them in the label `instance`. All of a metric's series
    that fit are among them only if `count` is large enough.
    """
    demo = [one.labels for one in demo_series()]
    names = {labels[NAME] for labels in demo}
    fitting = [labels for labels in fitting_labels(expressions) if labels[NAME] not in names]
    unique = {tuple(sorted(labels.items())): None for labels in (*fitting, *demo)}
    found: dict[tuple[tuple[str, str], ...], None] = {}
    turn = 0
    while len(found) < count:
        for labels in unique:
            found[_of_turn(labels, turn)] = None
        turn += 1
    return [dict(labels) for labels in list(found)[:count]]


class Scraped:
    """The samples of series in `rounds` scrapes, as the bodies of remote write requests."""

    def __init__(self, labels: Sequence[Labels], rounds: int) -> None:
        self.series = len(labels)
        self.rounds = rounds - rounds % ROUNDS_PER_REQUEST
        self._values = np.stack([_values(one, self.rounds) for one in labels])
        self._shifts = np.array([_shift(one) for one in labels], np.int64)
        size = ROUNDS_PER_REQUEST * SAMPLE_BYTES
        self._heads = [_head(one, size) for one in labels]

    @property
    def samples(self) -> int:
        return self.series * self.rounds

    @property
    def end(self) -> int:
        """The time after the last samples, in ms."""
        return START + self.rounds * INTERVAL

    @property
    def requests(self) -> int:
        return self.rounds // ROUNDS_PER_REQUEST

    def bodies(self) -> Iterator[bytes]:
        """Yield write requests (remote write 1.0), snappy-compressed, in the order of time."""
        for first in range(0, self.rounds, ROUNDS_PER_REQUEST):
            rounds = np.arange(first, first + ROUNDS_PER_REQUEST, dtype=np.int64)
            times = START + rounds * INTERVAL + self._shifts[:, np.newaxis]
            samples = _samples(times, self._values[:, rounds]).reshape(self.series, -1)
            written = b"".join(
                head + one.tobytes() for head, one in zip(self._heads, samples, strict=True)
            )
            yield bytes(cramjam.snappy.compress_raw(written))


def _of_turn(labels: tuple[tuple[str, str], ...], turn: int) -> tuple[tuple[str, str], ...]:
    if not turn:
        return labels
    changed = dict(labels)
    changed["instance"] = f"{changed.get('instance', 'i')}-{turn}"
    return tuple(sorted(changed.items()))


def _seed(labels: Labels, *without: str) -> int:
    return crc32(repr([pair for pair in labels.items() if pair[0] not in without]).encode())


def _shift(labels: Labels) -> int:
    """Return when an instance is scraped, in ms after the beginning of an interval."""
    return 1 + crc32(labels.get("instance", "").encode()) % (INTERVAL - 2)


def _values(labels: Labels, rounds: int) -> npt.NDArray[np.float64]:
    name = labels[NAME]
    chance = np.random.default_rng(_seed(labels, "le"))
    if not name.endswith(COUNTERS):
        return np.asarray(np.round(50 + np.cumsum(chance.normal(0, 0.5, rounds)), 2))
    grown = chance.choice((0, 1, 3, 40, 0.25), rounds)
    restarts = chance.random(rounds) < RESTART
    if name.endswith("_bucket"):
        bound = BOUNDS.index(labels["le"]) if labels["le"] in BOUNDS else len(BOUNDS) - 1
        grown = np.floor(grown * (bound + 1) / len(BOUNDS))
        restarts[:] = False
    total = np.cumsum(grown)
    lost = np.maximum.accumulate(np.where(restarts, total, 0.0))
    return np.asarray(total - lost)


def _head(labels: Labels, size: int) -> bytes:
    """Return what a series in a request begins with; `size` are the bytes of its samples."""
    written = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    return b"\x0a" + _varint(len(written) + size) + written


def _samples(times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Bytes:
    """Return samples as fields of a series, in bytes along a new last axis."""
    found = np.empty((*times.shape, SAMPLE_BYTES), np.uint8)
    found[..., :3] = (0x12, SAMPLE_BYTES - 2, 0x09)
    found[..., 3:11] = np.ascontiguousarray(values)[..., np.newaxis].view(np.uint8)
    found[..., 11] = 0x10
    for place in range(TIME_BYTES):
        more = 0x80 if place < TIME_BYTES - 1 else 0
        found[..., 12 + place] = times >> 7 * place & 0x7F | more
    return found


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
