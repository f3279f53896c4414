"""Counts of several workers are summed, even if their shared directory is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from adapters.http.shared_metrics import SharedMetrics


class Worker:
    """A worker that counts. All are in this process, each with its name instead of a pid."""

    def __init__(self, directory: Path, name: str) -> None:
        registry = CollectorRegistry()
        self.requests = Counter("cave_requests", "…", ["status"], registry=registry)
        self.seconds = Histogram("cave_seconds", "…", buckets=(1.0,), registry=registry)
        self.level = Gauge("cave_level", "…", registry=registry)
        Counter("other", "…", registry=registry)
        self.metrics = SharedMetrics(registry, directory)
        self.metrics._own_file = directory / name

    def shown(self) -> dict[str, float]:
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for metric in self.metrics.collect()
            for sample in metric.samples
        }


@pytest.fixture
def workers(tmp_path: Path) -> list[Worker]:
    directory = tmp_path / "run" / "metrics"
    return [Worker(directory, str(number)) for number in range(3)]


def count(workers: list[Worker]) -> None:
    for number, worker in enumerate(workers, start=1):
        worker.requests.labels("202").inc(number)
        worker.seconds.observe(number / 2)
        worker.level.set(number)
    workers[0].requests.labels("503").inc()


ALL = {
    "cave_requests_total 202": 6.0,
    "cave_requests_total 503": 1.0,
    "cave_seconds_bucket 1.0": 2.0,
    "cave_seconds_bucket +Inf": 3.0,
    "cave_seconds_count": 3.0,
    "cave_seconds_sum": 3.0,
}


def remove(directory: Path) -> None:
    shutil.rmtree(directory)


def remove_all(directory: Path) -> None:
    shutil.rmtree(directory.parent)


def put_a_file_in_its_place(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.touch()


def damage(directory: Path) -> None:
    for file in directory.iterdir():
        file.write_bytes(b'{"cave_requests": [["cave_requests_total", {"status"')


def leave_alone(directory: Path) -> None:
    assert directory.is_dir()


def test_counters_are_summed_and_gauges_are_the_workers_own(workers: list[Worker]) -> None:
    count(workers)
    for worker in workers:
        worker.metrics.write()
    for number, worker in enumerate(workers, start=1):
        assert worker.shown() == {**ALL, "cave_level": number}


@pytest.mark.parametrize("harm", [leave_alone, remove, remove_all, put_a_file_in_its_place, damage])
def test_the_loss_of_the_directory_is_survived(
    workers: list[Worker], harm: Callable[[Path], None]
) -> None:
    count(workers)
    for worker in workers:
        worker.metrics.write()
    harm(workers[0].metrics.directory)
    assert workers[0].shown()["cave_requests_total 503"] == 1.0
    if harm is put_a_file_in_its_place:
        workers[0].metrics.directory.unlink()
    for worker in workers:
        worker.metrics.write()
    for number, worker in enumerate(workers, start=1):
        assert worker.shown() == {**ALL, "cave_level": number}


def test_the_counts_of_an_ended_worker_are_kept(workers: list[Worker]) -> None:
    count(workers)
    with workers[1].metrics.updated():
        pass
    del workers[1]
    assert workers[0].shown()["cave_requests_total 202"] == 3.0


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30))
def test_no_count_ever_decreases(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    """Prometheus would interpret a decrease as a restart."""
    directory = tmp_path_factory.mktemp("metrics")
    workers = [Worker(directory, str(number)) for number in range(3)]
    last = 0.0
    for number, asked in steps:
        workers[number].requests.labels("202").inc()
        if asked:
            shown = workers[number].shown()["cave_requests_total 202"]
            assert shown >= last
            last = shown
