"""Query times: aggregates and points of one host, and aggregates of many hosts, over many points.

All columns, files and indexes that the questions need have been read before the first is timed.
"""

from __future__ import annotations

import http.client
import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from statistics import quantiles

from msgspec import Struct

from adapters.ducklake.store.upkeep import IDLE_SECONDS, MERGE_EVERY
from tests.benchmarks.bench import Bench, Invalid
from tests.benchmarks.contestants import DATABASES
from tests.benchmarks.contestants.base import Bucket, Contestant, Database, Question, got
from tests.benchmarks.contestants.victoria_metrics import VictoriaMetricsPut
from tests.benchmarks.points import FIRST_SECOND, HOSTS, INTERVAL, NAMES, SERIES, point, tags
from tests.benchmarks.prepared import requests
from tests.benchmarks.pusher import push

PART = "query"
TOTAL, QUICK_TOTAL = 10_000_000, 1_000_000
SIZE = 10_000
CONNECTIONS = 8
QUESTIONS, QUICK_QUESTIONS = 300, 50
SETTLE_SECONDS = IDLE_SECONDS + 2 * MERGE_EVERY
"""Until CAVE has merged what was written, which it does once nothing is committed any more."""

MINUTE, TEN_MINUTES, HOUR = 60, 600, 3600


class Case(Struct, frozen=True):
    """A kind of question. `tag` is the name of its tag, and `span` its range in seconds.

    Without a span, it is about all points. Percentiles are not the same everywhere: here they are
    values that occur, elsewhere they may lie between two.
    """

    name: str
    tag: str | None = "host"
    aggregator: str | None = "mean"
    period: int = MINUTE
    span: int | None = HOUR


CASES = (
    Case("host"),
    Case("host's maximum", aggregator="max"),
    Case("host's percentile", aggregator="p99"),
    Case("host's points", aggregator=None),
    Case("host, all points", period=TEN_MINUTES, span=None),
    Case("datacenter", tag="datacenter"),
    Case("all hosts", tag=None),
)


def run(bench: Bench) -> None:
    total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
    total -= total % SIZE
    contestants = [c for c in DATABASES if not isinstance(c, VictoriaMetricsPut)]
    with ExitStack() as stack:
        servers: dict[str, Database] = {}
        for contestant in bench.present(contestants):
            server = stack.enter_context(bench.started(contestant, bench.cores.both))
            assert isinstance(server, Database)
            bench.say(f"query: {total:,} points for {contestant.name}")
            _fill(server, total)
            servers[contestant.name] = server
        time.sleep(1 if bench.settings.quick else SETTLE_SECONDS)
        expected: dict[Question, Sequence[Bucket]] = {}
        for number, contestant in bench.interleaved(contestants):
            _ask(bench, contestant, servers[contestant.name], total, number, expected)


def _fill(server: Database, total: int) -> None:
    bodies = requests(server.head, server.form, SIZE, total // SIZE)
    pushed = push(server.port, bodies, connections=CONNECTIONS)
    server.wait_until_readable(point(total - 1), pushed)
    if (found := server.count()) != total:
        raise Invalid(f"of {total} points {found} can be read")


def _ask(
    bench: Bench,
    contestant: Contestant,
    server: Database,
    total: int,
    number: int,
    expected: dict[Question, Sequence[Bucket]],
) -> None:
    count = QUICK_QUESTIONS if bench.settings.quick else QUESTIONS
    connection = http.client.HTTPConnection("127.0.0.1", server.ask_port, timeout=60)
    headers = server.ask_headers()
    with bench.measuring(PART, contestant.name, number=number) as figures, closing(connection):
        for name in NAMES:
            path = server.question(Question(name, None, *_all(total), "mean", TEN_MINUTES))
            got(connection, path, headers)
        for case in CASES:
            took = []
            for question in questions(case, total, count, number):
                path = server.question(question)
                began = time.perf_counter()
                answer = got(connection, path, headers)
                took.append((time.perf_counter() - began) * 1000)
                _compare(question, server.buckets(question, answer), expected)
            cuts = quantiles(took, n=100)
            figures[f"{case.name} p50 ms"], figures[f"{case.name} p99 ms"] = cuts[49], cuts[98]


def questions(case: Case, total: int, count: int, seed: int) -> Iterator[Question]:
    """Yield different questions, so that no answer comes from a cache."""
    chance = random.Random(seed)
    first, end = _all(total)
    span = end - first if case.span is None else case.span
    for _ in range(count):
        start = first + chance.randrange(max(1, (end - first - span) // MINUTE)) * MINUTE
        known = tags(chance.randrange(HOSTS))
        tag = None if case.tag is None else (case.tag, known[case.tag])
        yield Question(chance.choice(NAMES), tag, start, start + span, case.aggregator, case.period)


def _all(total: int) -> tuple[int, int]:
    """Return the first second and the end of the whole periods that all points lie in."""
    seconds = total // SERIES * INTERVAL
    return FIRST_SECOND, FIRST_SECOND + max(HOUR, seconds // TEN_MINUTES * TEN_MINUTES)


def _compare(
    question: Question, found: Sequence[Bucket], expected: dict[Question, Sequence[Bucket]]
) -> None:
    """Compare an answer with the one that the first contestant gave."""
    first = expected.setdefault(question, found)
    same = [bucket.second for bucket in found] == [bucket.second for bucket in first] and (
        question.aggregator == "p99"
        or all(
            math.isclose(ours.value, theirs.value, rel_tol=1e-9)
            for ours, theirs in zip(found, first, strict=True)
        )
    )
    if not same or not found:
        raise Invalid(f"{question} was answered by {found[:3]}…, but by {first[:3]}… at first")
