"""The counts of all workers of a service, shared through files of one directory.

Each worker counts in its own memory. Once a second, and whenever it is asked for the metrics, it
writes what it has counted to a file of its own, by which the others know of it. So the directory
may go or its disk may be full: nothing that this worker counted is lost, and what the live others
counted is back a second later. Counts of workers that ended stay, as long as their files do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

EVERY_SECONDS = 1.0
OURS = "cave_"
SUMMED = frozenset({"counter", "histogram"})

_log = structlog.get_logger(__name__)

_Sample = tuple[str, dict[str, str], float]
"""Name, labels and value."""

_Values = dict[str, list[_Sample]]
"""The samples of each metric, by its name."""

_decode = msgspec.json.Decoder(_Values).decode


class SharedMetrics(Collector):
    """The metrics of `registry`, together with those of the other workers in `directory`."""

    def __init__(self, registry: CollectorRegistry, directory: Path) -> None:
        self.registry = registry
        self.directory = directory
        self._own_file = directory / str(os.getpid())

    def collect(self) -> Iterator[Metric]:
        """Yield our metrics: counters and histograms as sums, others as this worker has them."""
        own = [metric for metric in self.registry.collect() if metric.name.startswith(OURS)]
        self._write(own)
        others = self._others()
        for metric in own:
            if metric.type in SUMMED:
                yield _summed(metric, [values.get(metric.name, []) for values in others])
            else:
                yield metric

    def write(self) -> None:
        """Let the other workers know what this one has counted so far. Failures are logged."""
        self._write([metric for metric in self.registry.collect() if metric.name.startswith(OURS)])

    @contextmanager
    def kept_up(self) -> Iterator[None]:
        """Write every second, for the block."""
        stop = threading.Event()

        def keep_up() -> None:
            while not stop.wait(EVERY_SECONDS):
                self.write()

        thread = threading.Thread(target=keep_up, name="shared-metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.write()

    def _write(self, own: Sequence[Metric]) -> None:
        values: _Values = {
            metric.name: [(sample.name, sample.labels, sample.value) for sample in metric.samples]
            for metric in own
            if metric.type in SUMMED
        }
        part = self.directory / f".{os.getpid()}-{threading.get_ident()}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(values))
            part.replace(self._own_file)
        except OSError as error:
            _log.warning("the other workers cannot be told what was counted", reason=str(error))

    def _others(self) -> list[_Values]:
        found = []
        for file in self.directory.glob("[!.]*"):
            if file != self._own_file:
                try:
                    found.append(_decode(file.read_bytes()))
                except (OSError, msgspec.DecodeError):  # it went, or is not one of ours
                    continue
        return found


def _summed(own: Metric, others: list[list[_Sample]]) -> Metric:
    """Return a metric with the samples of all workers, those with the same labels added up."""
    samples = [(sample.name, sample.labels, sample.value) for sample in own.samples]
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for name, labels, value in (sample for worker in (samples, *others) for sample in worker):
        if not name.endswith("_created"):
            key = name, tuple(labels.items())
            sums[key] = sums.get(key, 0.0) + value
    summed = Metric(own.name, own.documentation, own.type)
    for (name, pairs), value in sums.items():
        summed.add_sample(name, dict(pairs), value)
    return summed
