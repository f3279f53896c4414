"""The harness: its points, its load, and its evaluation of results."""

from __future__ import annotations

import json
import os
import shutil
import struct
from array import array
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from itertools import pairwise
from pathlib import Path
from threading import Thread

import cramjam
import pytest
from rich.console import Console

from adapters.ducklake.database import Location
from tests.benchmarks import formats, prepared, publish_path
from tests.benchmarks.bench import Bench, Cores, Settings
from tests.benchmarks.load import LoadFailed, load, missing, parsed
from tests.benchmarks.markdown import sections
from tests.benchmarks.parts import cardinality, promql, publish
from tests.benchmarks.points import HOSTS, INTERVAL, NAMES, SERIES, point, points
from tests.benchmarks.pusher import PushRefused, push
from tests.benchmarks.report import CAVEATS, Report, machine, show
from tests.benchmarks.results import Goal, Measurement, cells, verdicts
from tests.benchmarks.scraped import START, Scraped, labels_for
from tests.point_formats.remote_write.slow_reader import read_version_1

NO_WRK = missing() or (None if shutil.which("taskset") else "taskset is not installed")
needs_wrk = pytest.mark.skipif(NO_WRK is not None, reason=str(NO_WRK))
FORMATS = (formats.CAVE, formats.OPENTSDB, formats.VICTORIA_IMPORT, formats.INFLUX_LINES)


def test_points_are_of_two_thousand_series_with_four_tags() -> None:
    found = list(points(0, SERIES))
    assert {each.name for each in found} == set(NAMES)
    assert len({each.tags["host"] for each in found}) == HOSTS
    assert len({(each.name, each.tags["host"]) for each in found}) == SERIES
    assert {len(each.tags) for each in found} == {4}


def test_a_series_advances_in_time_and_varies_in_value() -> None:
    turns = [point(17 + turn * SERIES) for turn in range(50)]
    assert len({(each.name, each.tags["host"]) for each in turns}) == 1
    seconds = [each.second for each in turns]
    assert seconds == list(range(seconds[0], seconds[0] + 50 * INTERVAL, INTERVAL))
    assert len({each.value for each in turns}) > 40


def test_a_point_is_the_same_whenever_it_is_made() -> None:
    assert list(points(1000, 10)) == [point(number) for number in range(1000, 1010)]


def test_ever_new_points_never_return_to_a_series() -> None:
    found = list(points(0, 3 * SERIES, ever_new=True))
    assert len({(each.name, each.tags["host"]) for each in found}) == len(found)


def test_every_format_has_the_same_points() -> None:
    chosen = list(points(5, 30))
    cave = json.loads(formats.CAVE.content(chosen, None))["metrics"]
    opentsdb = json.loads(formats.OPENTSDB.content(chosen, None))
    imported = map(json.loads, formats.VICTORIA_IMPORT.content(chosen, None).splitlines())
    lines = formats.INFLUX_LINES.content(chosen, None).decode().splitlines()
    for each, ours, put, line, influx in zip(chosen, cave, opentsdb, imported, lines, strict=True):
        value = float(each.value)
        assert list(ours.values()) == [each.name, each.second, value, each.tags]
        assert list(put.values()) == [each.name, each.second, value, each.tags]
        assert line["metric"] == {"__name__": each.name, **each.tags}
        assert (line["values"], line["timestamps"]) == ([value], [each.second * 1000])
        key, field, second = influx.split(" ")
        assert key == ",".join([each.name, *(f"{k}={v}" for k, v in each.tags.items())])
        assert (field, second) == (f"value={each.value}", str(each.second))


@pytest.mark.parametrize("form", FORMATS)
def test_prepared_bodies_are_the_points_once_their_times_are_filled_in(
    form: formats.Format,
) -> None:
    body = prepared.bodies(form, 1000)[3]
    content = bytearray(body.content)
    for offset, second in zip(body.offsets, body.seconds, strict=True):
        content[offset : offset + 10] = b"%010d" % second
    assert bytes(content) == form.content(list(points(3000, 1000)), None)


def test_the_prepared_file_is_laid_out_as_load_lua_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    head = b"POST / HTTP/1.1\r\nContent-Length: "
    prepared.write_requests(path, head, formats.CAVE, 1000)
    content = path.read_bytes()
    count, span = struct.unpack_from("=II", content)
    assert (count, span) == (100, 50 * INTERVAL)
    at = 8
    for body in prepared.bodies(formats.CAVE, 1000):
        length, size = struct.unpack_from("=II", content, at)
        places = array("I", content[at + 8 : at + 8 + 8 * size])
        at += 8 + 8 * size
        text = content[at : at + length]
        at += length + -length % 4
        assert text == head + b"%d\r\n\r\n%s" % (len(body.content), body.content)
        assert all(text[offset : offset + 10] == prepared.STAMP.encode() for offset in places[::2])
        assert list(places[1::2]) == body.seconds
    assert at == len(content)


class _Recorder(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.bodies: list[bytes] = []
        self.status = 202


class _Recording(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Recorder

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[_Recorder]:
    """An HTTP server that records bodies."""
    with _Recorder() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "


@needs_wrk
def test_wrk_never_sends_a_body_twice(
    recorder: _Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "POINTS_PER_PASS", 40)
    prepared.bodies.cache_clear()
    prepared.write_requests(tmp_path / "requests", HEAD, formats.CAVE, 10)
    prepared.bodies.cache_clear()
    here = Cores.here()
    port = recorder.server_port
    done = load(port, tmp_path / "requests", connections=2, seconds=1, cores=here.load)
    assert done.fault() is None
    assert len(recorder.bodies) >= done.requests > 8  # four requests per pass
    assert len(set(recorder.bodies)) == len(recorder.bodies)
    for body in recorder.bodies:
        assert len(json.loads(body)["metrics"]) == 10


@needs_wrk
def test_a_refused_request_makes_a_round_invalid(recorder: _Recorder, tmp_path: Path) -> None:
    recorder.status = 503
    prepared.write_requests(tmp_path / "requests", HEAD, formats.CAVE, 1000)
    here = Cores.here()
    port, requests = recorder.server_port, tmp_path / "requests"
    done = load(port, requests, connections=1, seconds=1, cores=here.load, rate=20)
    assert done.refused == done.requests
    assert done.requests <= 30  # paced
    assert str(done.fault()).startswith(f"{done.refused} refused")


def test_the_pusher_sends_every_request_once(recorder: _Recorder) -> None:
    bodies = list(prepared.requests(HEAD, formats.CAVE, 10, 20))
    pushed = push(recorder.server_port, bodies, connections=3)
    assert (pushed.requests, pushed.receipt) == (20, None)
    assert sorted(recorder.bodies) == sorted(body.partition(b"\r\n\r\n")[2] for body in bodies)


def test_the_pusher_stops_at_a_refusal(recorder: _Recorder) -> None:
    recorder.status = 400
    with pytest.raises(PushRefused, match="400 Bad Request"):
        push(recorder.server_port, prepared.requests(HEAD, formats.CAVE, 1, 2), connections=1)


def test_the_result_is_found_in_the_output_of_wrk() -> None:
    output = (
        'Running 1s test\n  1 threads and 2 connections\nRESULT {"requests":3000,'
        '"microseconds":1500000,"refused":0,"broken":1,"late":0,"p50":250,"p90":300.5,'
        '"p99":400,"p999":500,"max":600}\n'
    )
    found = parsed(output)
    assert (found.rate, found.seconds, found.p50) == (2000.0, 1.5, 250.0)
    assert found.fault() == "0 refused, 1 broken, 0 late"


@pytest.mark.parametrize("output", ["", "unable to connect", 'RESULT {"requests":1}'])
def test_output_without_a_valid_result_is_a_failure(output: str) -> None:
    with pytest.raises(LoadFailed):
        parsed(output)


def _measured(contestant: str, number: int, rate: float, fault: str | None = None) -> Measurement:
    figures = {"requests/s": rate}
    return Measurement(
        part="p", contestant=contestant, size=1, round=number, figures=figures, fault=fault
    )


MEASURED = (
    *(_measured("CAVE", number, rate) for number, rate in enumerate((50.0, 80.0, 30.0))),
    *(_measured("peer", number, rate) for number, rate in enumerate((100.0, 100.0, 50.0))),
    _measured("peer", 3, 1.0, "it broke"),
)


def test_cells_are_medians_of_the_valid_rounds() -> None:
    ours, peer = cells(MEASURED)
    spread = ours.figures["requests/s"]
    assert (spread.median, spread.least, spread.most, spread.rounds) == (50.0, 30.0, 80.0, 3)
    assert (peer.figures["requests/s"].rounds, peer.faults) == (3, ["it broke"])


def test_ratios_are_taken_per_round() -> None:
    goal = Goal(part="p", figure="requests/s", theirs="peer", factor=0.6)
    [verdict] = verdicts(MEASURED, [goal, Goal(part="other", figure="requests/s", factor=1)])
    assert (verdict.ratio.median, verdict.ratio.least, verdict.ratio.most) == (0.6, 0.5, 0.8)
    assert verdict.met


def test_a_goal_may_be_a_maximum() -> None:
    goal = Goal(part="p", figure="requests/s", factor=40, at_most=True)
    [verdict] = verdicts(MEASURED, [goal])
    assert (verdict.ratio.median, verdict.met) == (50.0, False)


def test_the_report_starts_with_the_caveats_and_names_missing_contestants() -> None:
    goal = Goal(part="p", figure="requests/s", theirs="peer", factor=0.6)
    report = Report(
        caveats=CAVEATS,
        machine=machine(),
        versions={"CAVE": "1"},
        missing={"InfluxDB": "influxd is not installed"},
        settings=Settings(),
        notes=["a note"],
        cells=cells(MEASURED),
        verdicts=verdicts(MEASURED, [goal]),
        measurements=MEASURED,
    )
    out = StringIO()
    show(report, Console(file=out, width=200))
    text = out.getvalue()
    assert text.startswith("Caveats\n")
    for part in (
        "InfluxDB was not measured: influxd is not installed",
        "it broke",
        "a note",
        "yes",
    ):
        assert part in text


def test_tables_for_the_docs_say_how_they_were_made_and_what_was_missed_first() -> None:
    goals = [
        Goal(part="p", figure="requests/s", theirs="peer", factor=factor) for factor in (0.1, 9.0)
    ]
    report = Report(
        caveats=CAVEATS,
        machine={**machine(), "command": "python -m tests.benchmarks p", "date": "today"},
        versions={"CAVE": "1"},
        missing={},
        settings=Settings(rounds=2),
        notes=[],
        cells=cells(MEASURED),
        verdicts=verdicts(MEASURED, goals),
        measurements=MEASURED,
    )
    text = sections(report)
    _, head, figures, reached = text.split("\n\n")
    assert text.startswith("### p\n")
    for part in ("today, `python -m tests.benchmarks p`.", "Load average before: ", "CAVE: 1."):
        assert part in head
    assert figures.startswith("|  | points per request | requests/s |\n| --- |")
    missed, met = reached.strip().splitlines()[2:]
    assert missed.endswith("at least 9 of peer, missed |")
    assert met.endswith("at least 0.1 of peer |")


@needs_wrk
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two cores")
def test_a_tiny_round_compares_cave_with_the_empty_application() -> None:
    settings = Settings(
        rounds=1,
        seconds=1,
        warm_up=1,
        sizes=(10,),
        connections=(2,),
        only=("CAVE", "empty application"),
    )
    bench = Bench(settings)
    publish.run(bench)
    assert [(m.contestant, m.fault) for m in bench.measurements] == [
        ("CAVE", None),
        ("empty application", None),
    ]
    assert all(m.figures["requests/s"] > 0 for m in bench.measurements)


def test_scraped_series_are_sent_whole_in_the_order_of_time() -> None:
    labels = labels_for(['rate(x_total{a="1"}[5m])', "h_bucket"], 100)
    scraped = Scraped(labels, 20)
    found: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
    for body in scraped.bodies():
        for name, time, bits, tags in read_version_1(
            bytes(cramjam.snappy.decompress_raw(body))
        ).rows:
            key = tuple(sorted((("__name__", name), *tags)))
            found.setdefault(key, []).append((time, struct.unpack("<d", bits)[0]))
    assert found.keys() == {tuple(sorted(one.items())) for one in labels}
    assert {len(samples) for samples in found.values()} == {20}
    for key, samples in found.items():
        times = [time for time, _ in samples]
        assert {later - time for time, later in pairwise(times)} == {15_000}
        assert START < times[0] < times[-1] < scraped.end
        if ("__name__", "x_total") in key:
            assert samples == sorted(samples)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset is not installed")
def test_a_tiny_day_compares_promql_with_prometheus(tmp_path: Path) -> None:
    expressions = tmp_path / "expressions"
    expressions.write_text("a_total\nsum(rate(a_total[5m]))\nrate(b[\n")
    settings = Settings(quick=True, rounds=2, series=20, expressions=str(expressions))
    bench = Bench(settings)
    promql.run(bench)
    assert all(m.fault is None and m.figures["p50 ms"] > 0 for m in bench.measurements)
    present = [c.name for c in (promql.CAVE, promql.PROMETHEUS) if c.missing() is None]
    assert sorted(m.contestant for m in bench.measurements) == sorted(2 * present)
    assert any("of 3 expressions 1 were refused, 0 have empty" in note for note in bench.notes)


def test_questions_of_few_series_are_measured(tmp_path: Path) -> None:
    cardinality.fill(Location(root=tmp_path), 300)
    figures = cardinality.measured(tmp_path, 300)
    assert {name.rpartition(" ")[2] for name in figures} == {"ms", "B/series"}


def test_a_workers_own_work_is_measured_on_its_publish_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_path, "ROUNDS", 1)
    monkeypatch.setattr(publish_path, "DISTINCT", 20)
    monkeypatch.setattr(publish_path, "REQUESTS_PER_ROUND", 20)
    publish_path.main(["--sizes", "1", "10", "--connections", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.endswith("µs per request")]) == 2
