"""The counts of all workers of a service, shared through files in one directory.

Each worker counts in its own memory. Once a second, and whenever the metrics are requested from it,
it writes its counts to its own file, for the others to read. So if the directory is deleted or its
disk is full, this worker loses no counts, and those of other live workers are back a second after
the directory is. Counts of workers that have ended are kept as long as their files.
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
    """The metrics of `registry`, combined with those of the other workers in `directory`."""

    def __init__(self, registry: CollectorRegistry, directory: Path) -> None:
        self.registry = registry
        self.directory = directory
        self._own_file = directory / str(os.getpid())

    def collect(self) -> Iterator[Metric]:
        """Yield our metrics: counters and histograms summed over the workers, others unchanged."""
        own = [metric for metric in self.registry.collect() if metric.name.startswith(OURS)]
        self._write(own)
        others = self._others()
        for metric in own:
            if metric.type in SUMMED:
                yield _summed(metric, [values.get(metric.name, []) for values in others])
            else:
                yield metric

    def write(self) -> None:
        """Write this worker's counts for the others. Logs a failure."""
        self._write([metric for metric in self.registry.collect() if metric.name.startswith(OURS)])

    @contextmanager
    def updated(self) -> Iterator[None]:
        """Write every second within the block, and at its end."""
        stop = threading.Event()

        def update() -> None:
            while not stop.wait(EVERY_SECONDS):
                self.write()

        thread = threading.Thread(target=update, name="shared-metrics", daemon=True)
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
            _log.warning("counts cannot be shared with the other workers", reason=str(error))

    def _others(self) -> list[_Values]:
        found = []
        for file in self.directory.glob("[!.]*"):
            if file != self._own_file:
                try:
                    found.append(_decode(file.read_bytes()))
                except (OSError, msgspec.DecodeError):  # deleted meanwhile, or not one of ours
                    continue
        return found


def _summed(own: Metric, others: list[list[_Sample]]) -> Metric:
    """Return a metric with the samples of all workers, summed by labels."""
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
