"""`cave export`."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.point_files import Format
from application.reading.ports import PointRow
from domain.values import TEXTS
from entrypoints.cli import export
from entrypoints.cli.context import terminated_in_order
from tests.entrypoints.cli_in_memory import CommandLine
from tests.point_files.support import read

TAGS = {"host": "svc5", "env": "production"}


@pytest.fixture(autouse=True)
def organization(cave: CommandLine) -> None:
    """Three points of gilt and one of its team web, in the log and readable."""
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    cave.publish("gilt", points=3)
    cave.publish("gilt", "web")


def exported(cave: CommandLine, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in cave.output("export", *arguments).splitlines()]


def test_points_are_json_lines_on_standard_output(cave: CommandLine) -> None:
    points = exported(cave, "gilt")
    assert points == [
        {"name": "orders", "timestamp": 1398788625000 + i, "value": i + 0.5, "tags": TAGS}
        for i in range(3)
    ]


def test_values_that_are_not_finite_are_exported_as_texts(cave: CommandLine) -> None:
    cave.publish("gilt", "web", values=list(TEXTS.values()))
    _, *points = sorted(
        exported(cave, "gilt", "--team", "web"), key=lambda point: isinstance(point["value"], str)
    )
    assert [point["value"] for point in points] == list(TEXTS)


def test_a_teams_points_are_separate(cave: CommandLine) -> None:
    assert len(exported(cave, "gilt", "--team", "web")) == 1


def test_points_are_selected_by_metric_and_time(cave: CommandLine) -> None:
    times = ("--start", "1398788625.001", "--end", "2014-04-29T16:23:45.002Z")
    [point] = exported(cave, "gilt", "--metric", "orders", *times)
    assert point["timestamp"] == 1398788625001


@pytest.mark.parametrize(
    "time",
    ["2014-04-29T16:23:45.0010000001Z", "2014-04-29 16:23:45.001000001z", "1398788625.00100000001"],
)
def test_times_are_compared_without_rounding(cave: CommandLine, time: str) -> None:
    before = exported(cave, "gilt", "--metric", "orders", "--end", time)
    after = exported(cave, "gilt", "--metric", "orders", "--start", time)
    assert [point["timestamp"] for point in before] == [1398788625000, 1398788625001]
    assert after[0]["timestamp"] == 1398788625002


def test_a_copy_is_read_by_its_label(cave: CommandLine) -> None:
    cave.publish("gilt", points=5)
    first = cave.reader.of_organization("gilt")
    cave.read_model.add(next(first), label="before")
    assert len(exported(cave, "gilt", "--as", "before")) == 3
    assert cave.error("export", "gilt", "--as", "after") == "there is no copy 'after'"


@pytest.mark.parametrize("form", Format)
def test_a_file_is_written_in_the_format_of_its_extension(
    cave: CommandLine, tmp_path: Path, form: Format
) -> None:
    path = tmp_path / f"points.{form}"
    assert cave.output("export", "gilt", "--output", str(path)) == f"{path}: 3 points\n"
    assert len(read(path, Format(form))) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_the_format_option_overrides_the_extension(cave: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "points.txt"
    cave.output("export", "gilt", "-o", str(path), "--format", "csv")
    assert path.read_text().startswith("name,timestamp,value,tags\n")
    assert cave.output("export", "gilt", "--format", "csv") == path.read_text()


def test_parquet_goes_to_standard_output_unless_that_is_a_terminal(
    cave: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = cave("export", "gilt", "--format", "parquet")
    path = tmp_path / "points.parquet"
    path.write_bytes(result.stdout_bytes)
    assert len(read(path, Format.PARQUET)) == 3

    monkeypatch.setattr(export, "is_terminal", lambda path: path in ("-", "/dev/tty"))
    for output in ("-", "/dev/tty"):
        refused = cave("export", "gilt", "--format", "parquet", "-o", output)
        assert refused.exit_code == 2
        assert "Refusing to write Parquet to a terminal; choose a file" in refused.stderr


@pytest.mark.parametrize("form", Format)
def test_a_pipe_is_written_to(cave: CommandLine, tmp_path: Path, form: Format) -> None:
    fifo, copy = tmp_path / "fifo", tmp_path / "copy"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: copy.write_bytes(fifo.read_bytes()), daemon=True)
    reader.start()
    output = cave.output("export", "gilt", "-o", str(fifo), "--format", str(form))
    reader.join()
    assert output == f"{fifo}: 3 points\n"
    assert len(read(copy, form)) == 3
    assert fifo.is_fifo()


def test_a_link_is_followed(cave: CommandLine, tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "latest.csv"
    link.symlink_to("real.csv")
    cave.output("export", "gilt", "-o", str(link))
    assert link.is_symlink()
    assert real.read_text().startswith("name,")


def test_a_dash_is_standard_output_and_nothing_is_added_there(
    cave: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cave.output("export", "gilt", "-o", "-") == cave.output("export", "gilt")
    monkeypatch.setattr(export, "is_standard_output", lambda _: True)
    assert cave.output("export", "gilt", "-o", "/dev/null") == ""


def test_a_full_device_is_reported_in_one_line(cave: CommandLine) -> None:
    assert "No space left" in cave.error("export", "gilt", "-o", "/dev/full")


def test_an_export_stopped_by_a_signal_leaves_nothing_behind(
    cave: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "points.csv"
    path.write_text("precious")
    rows = cave.read_model.rows

    def interrupted(*arguments: Any, **more: Any) -> Iterator[Sequence[PointRow]]:
        yield from rows(*arguments, **more)
        signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr(cave.read_model, "rows", interrupted)
    with terminated_in_order():
        result = cave("export", "gilt", "-o", str(path))
    assert result.exit_code == 128 + signal.SIGHUP
    assert [(p, p.read_text()) for p in tmp_path.iterdir()] == [(path, "precious")]


def test_a_failed_export_leaves_the_file_as_it_was(cave: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("precious")
    cave.error("export", "gilt", "--as", "after", "--output", str(path))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_range_is_not_a_failure(cave: CommandLine) -> None:
    assert exported(cave, "gilt", "--end", "0") == []


def test_an_unknown_owner_or_metric_is_named(cave: CommandLine) -> None:
    assert cave.error("export", "zalando") == "there is no organization 'zalando'"
    assert "no team 'ops'" in cave.error("export", "gilt", "--team", "ops")
    assert cave.error("export", "gilt", "--metric", "sales") == "gilt has no metric 'sales'"


@pytest.mark.parametrize(
    "arguments", [("--start", "yesterday"), ("--end", "2014-10-24"), ("--format", "xml")]
)
def test_invalid_values_are_usage_errors(cave: CommandLine, arguments: tuple[str, str]) -> None:
    result = cave("export", "gilt", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
