"""The time of PromQL's range queries over a day, expression by expression, beside Prometheus.

Both get the same samples by remote write, and each expression over HTTP as Grafana asks: the whole
time in some hundred steps. The first time is not measured: files and columns are then in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from application.reading.series import NAME
from tests.benchmarks import goals
from tests.benchmarks.bench import Bench, Invalid
from tests.benchmarks.contestants.base import Database, Server
from tests.benchmarks.contestants.cave import ORGANIZATION, Cave
from tests.benchmarks.contestants.prometheus import Prometheus
from tests.benchmarks.formats import REMOTE_WRITE
from tests.benchmarks.points import Point
from tests.benchmarks.processes import processor_time
from tests.benchmarks.pusher import push
from tests.benchmarks.scraped import INTERVAL, START, Scraped, labels_for
from tests.promql.compare import expressions_of

PART = "promql"
EXPRESSIONS = Path(__file__).parents[2] / "promql" / "expressions.txt"
SERIES, QUICK_SERIES = 2000, 150
DAY, QUICK_DAY = 86_400_000, 3_600_000
STEPS = 960
"""Of a day, every 90 s: the most that Grafana asks for on a panel of 1000 pixels."""

SETTLE_SECONDS = 15
"""Until both have merged what they do in the background."""

WORST = 10
SHORTEST = 0.05
"""The least ms that a ratio is taken of."""


CAVE = Cave(path="prometheus/api/v1/write", form=REMOTE_WRITE)
PROMETHEUS = Prometheus()
PATHS = {
    CAVE.name: f"/organizations/{ORGANIZATION}/prometheus/api/v1/query_range",
    PROMETHEUS.name: "/api/v1/query_range",
}


class Answered(Struct, frozen=True):
    """An answer: its status, the number of its series, the ms until it was read, and the ms of
    processor time that the server took."""

    status: int
    series: int
    milliseconds: float
    processor: float


class _Found(Struct):
    result: list[msgspec.Raw] = []


class _Answer(Struct):
    data: _Found = msgspec.field(default_factory=_Found)


Round = Mapping[str, Sequence[Answered]]
"""Of each contestant, its answer to each expression."""

_decode = msgspec.json.Decoder(_Answer).decode


class Asker:
    """Asks a server for expressions over the whole time of the samples, on one connection."""

    def __init__(self, server: Server, path: str, end: int, step: int) -> None:
        headers = dict(server.ask_headers()) if isinstance(server, Database) else {}
        self._headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        self._path = path
        self._range = {"start": START / 1000, "end": end / 1000, "step": step / 1000}
        self._process = server.process.pid
        self._connection = HTTPConnection("127.0.0.1", server.ask_port, timeout=120)

    def close(self) -> None:
        self._connection.close()

    def ask(self, expression: str) -> Answered:
        body = urlencode({"query": expression, **self._range})
        used = processor_time(self._process)
        began = time.perf_counter()
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        took = (time.perf_counter() - began) * 1000
        used = processor_time(self._process) - used
        return Answered(response.status, len(_decode(content).data.result), took, used / 1e6)


def run(bench: Bench) -> None:
    quick = bench.settings.quick
    expressions = expressions_of(Path(bench.settings.expressions or EXPRESSIONS))
    labels = labels_for(expressions, bench.settings.series or (QUICK_SERIES if quick else SERIES))
    length = QUICK_DAY if quick else DAY
    scraped = Scraped(labels, length // INTERVAL)
    with ExitStack() as stack:
        askers: dict[str, Asker] = {}
        for contestant in bench.present([CAVE, PROMETHEUS]):
            server = stack.enter_context(bench.started(contestant, bench.cores.both))
            bench.say(f"{PART}: {scraped.samples:,} samples for {contestant.name}")
            _fill(server, scraped, labels[0][NAME])
            asker = Asker(server, PATHS[contestant.name], scraped.end, length // STEPS)
            askers[contestant.name] = stack.enter_context(closing(asker))
        time.sleep(1 if quick else SETTLE_SECONDS)
        asked = _answered(bench, expressions, askers)
        rounds = [
            _measured(bench, number, asked, askers) for number in range(bench.settings.rounds)
        ]
        if len(askers) == len(PATHS) and rounds:
            bench.note(_summary(asked, rounds))


def _fill(server: Server, scraped: Scraped, name: str) -> None:
    requests = (server.head + b"%d\r\n\r\n%b" % (len(body), body) for body in scraped.bodies())
    # Prometheus refuses samples that are older than others of their series.
    pushed = push(server.port, requests, connections=1)
    if isinstance(server, Database):
        server.wait_until_readable(Point(name, scraped.end // 1000, "0", {}), pushed)


def _answered(
    bench: Bench, expressions: Sequence[str], askers: Mapping[str, Asker]
) -> Sequence[str]:
    """Ask for each expression once, and return those that all answer."""
    first = {
        expression: {name: asker.ask(expression) for name, asker in askers.items()}
        for expression in expressions
    }
    sound = [e for e, found in first.items() if all(one.status == 200 for one in found.values())]
    empty = sum(not any(one.series for one in first[e].values()) for e in sound)
    different = [e for e in sound if len({one.series for one in first[e].values()}) > 1]
    for name in askers:
        times = [first[e][name].milliseconds for e in sound]
        bench.note(
            f"{PART}: asked for the first time, {name} took {median(times):.1f} ms, median of "
            f"{len(times)} expressions, and {max(times):.0f} ms at most."
        )
    bench.note(
        f"{PART}: of {len(expressions)} expressions {len(expressions) - len(sound)} were refused, "
        f"{empty} have empty answers, and {len(different)} have unequal numbers of series"
        + "".join(f"; {e}" for e in different[:WORST])
    )
    if not sound:
        raise Invalid("no expression was answered")
    return sound


def _measured(
    bench: Bench, number: int, expressions: Sequence[str], askers: Mapping[str, Asker]
) -> Round:
    """Ask all for each expression, one right after the other, in turns."""
    names = list(askers)
    found: dict[str, list[Answered]] = {name: [] for name in names}
    for place, expression in enumerate(expressions):
        shift = (number + place) % len(names)
        for name in (*names[shift:], *names[:shift]):
            found[name].append(askers[name].ask(expression))
    for name, answers in found.items():
        with bench.measuring(PART, name, number=number) as figures:
            took = [answer.milliseconds for answer in answers]
            figures["p50 ms"], figures["p95 ms"] = median(took), _p95(took)
            figures["processor p50 ms"] = median(answer.processor for answer in answers)
            if name == CAVE.name and PROMETHEUS.name in found:
                ratios = _ratios(found, _wall)
                figures[goals.RATIO_MEDIAN] = median(ratios)
                figures[goals.RATIO_P95] = _p95(ratios)
    return found


def _wall(answer: Answered) -> float:
    return answer.milliseconds


def _processor(answer: Answered) -> float:
    return answer.processor


def _ratios(found: Round, figure: Callable[[Answered], float]) -> list[float]:
    pairs = zip(found[CAVE.name], found[PROMETHEUS.name], strict=True)
    return [figure(ours) / max(figure(theirs), SHORTEST) for ours, theirs in pairs]


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _summary(expressions: Sequence[str], rounds: Sequence[Round]) -> str:
    """Describe each expression's ratio, the median of its rounds, and the worst of them."""
    lines = []
    for what, figure in (("processor time", _processor), ("time", _wall)):
        by_round = [_ratios(found, figure) for found in rounds]
        ratios = [median(ratio) for ratio in zip(*by_round, strict=True)]
        lines.append(
            f"{PART}: CAVE's {what} for an expression as a multiple of Prometheus', median of "
            f"{len(rounds)} rounds: median {median(ratios):.2f}, 95th percentile "
            f"{_p95(ratios):.2f}, at most {max(ratios):.2f}."
        )
    lines.append("The longest times in relation:")
    worst = sorted(range(len(expressions)), key=ratios.__getitem__, reverse=True)[:WORST]
    for place in worst:
        ours, theirs = (
            median(found[name][place].milliseconds for found in rounds)
            for name in (CAVE.name, PROMETHEUS.name)
        )
        lines.append(
            f"  {ratios[place]:.2f} ({ours:.1f} ms, {theirs:.1f} ms)  {expressions[place]}"
        )
    return "\n".join(lines)
