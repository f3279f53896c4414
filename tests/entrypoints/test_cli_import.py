"""`cave import`, against a service that answers from a script."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.http_client.client import RetryingClient
from tests.entrypoints.cli_in_memory import CommandLine
from tests.entrypoints.scripted_service import (
    REPLAYED,
    Said,
    ScriptedService,
    scripted_service,
)

POINT = '{"name":"orders","timestamp":1398788625,"value":1,"tags":{}}'


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedService]:
    impatient = partial(RetryingClient, patience=0.0)
    monkeypatch.setattr("entrypoints.cli.import_.RetryingClient", impatient)
    with scripted_service() as service:
        yield service


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Five points in a file of six lines."""
    items = [
        json.dumps({"name": "orders", "timestamp": 1398788625 + i, "value": i, "tags": {}})
        for i in range(5)
    ]
    path = tmp_path / "points.jsonl"
    path.write_text("\n".join([*items[:3], "", *items[3:]]))
    return path


def flags(service: ScriptedService, *more: str) -> tuple[str, ...]:
    return ("--token", "t0", "--url", service.url, "--batch", "2", *more)


def test_a_file_is_published_in_batches(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    output = cave.output("import", "gilt", str(points), *flags(service))
    assert output == f"{points}: 5 points in 3 batches stored\n"
    assert [len(request.items) for request in service.received] == [2, 2, 1]
    assert {request.path for request in service.received} == {"/organizations/gilt/metrics"}
    assert len({request.key for request in service.received}) == 3


def test_a_csv_file_is_published_for_a_team(
    cave: CommandLine, service: ScriptedService, tmp_path: Path
) -> None:
    path = tmp_path / "points.txt"
    path.write_text("name,timestamp,value,tags\norders,1398788625001,0.1,{}\n")
    cave.output("import", "gilt", "--team", "web", str(path), "--format", "csv", *flags(service))
    [request] = service.received
    assert request.path == "/organizations/gilt/teams/web/metrics"
    assert request.items == [
        {"name": "orders", "timestamp": 1398788625001, "value": 0.1, "tags": {}}
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_batch_with_values_that_are_not_finite_is_published_as_such(
    cave: CommandLine, service: ScriptedService, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"points.{form}"
    values = ["1", "2", "stale", "4", "5"]
    if form == "csv":
        lines = ["name,timestamp,value,tags", *(f"a,1398788625,{value},{{}}" for value in values)]
    else:
        numbers = [value if value == "stale" else int(value) for value in values]
        item = {"name": "a", "timestamp": 1398788625, "tags": {}}
        lines = [json.dumps({**item, "value": number}) for number in numbers]
    path.write_text("\n".join(lines))
    cave.output("import", "gilt", str(path), *flags(service))
    plain = "/organizations/gilt/metrics"
    assert [request.path for request in service.received] == [plain, f"{plain}?values=any", plain]
    assert [item["value"] for item in service.received[1].items] == ["stale", 4]


def test_two_files_of_one_name_have_different_keys_and_the_same_again(
    cave: CommandLine, service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for directory in ("ha", "hb"):
        Path(directory).mkdir()
        Path(directory, "m.jsonl").write_text(POINT)
    for _ in range(2):
        cave.output("import", "gilt", "ha/m.jsonl", "hb/m.jsonl", *flags(service))
    keys = [request.key for request in service.received]
    assert len(set(keys)) == 2
    assert keys[:2] == keys[2:]


def test_a_pipe_is_read_once(cave: CommandLine, service: ScriptedService) -> None:
    """Such as a shell's <(…)."""
    reading, writing = os.pipe()
    os.write(writing, POINT.encode())
    os.close(writing)
    path = f"/dev/fd/{reading}"
    try:
        output = cave.output("import", "gilt", path, "--format", "jsonl", *flags(service))
    finally:
        os.close(reading)
    assert output == f"{path}: 1 point in 1 batch stored\n"
    assert [request.items for request in service.received] == [[json.loads(POINT)]]


def test_an_undocumented_column_type_is_refused_before_anything_is_stored(
    cave: CommandLine, service: ScriptedService, tmp_path: Path
) -> None:
    path = tmp_path / "points.parquet"
    columns = {"name": ["a"], "timestamp": [1], "value": [True], "tags": ["{}"]}
    pq.write_table(pa.table(columns), path)
    error = cave.error("import", "gilt", str(path), *flags(service))
    assert error.startswith(f"{path}: the column value is bool, but must be ")
    assert service.received == []


def test_a_fault_in_a_parquet_file_names_the_row(
    cave: CommandLine, service: ScriptedService, tmp_path: Path
) -> None:
    path = tmp_path / "points.parquet"
    columns = {"name": ["a", "?"], "timestamp": [1, 1], "value": [1, 1], "tags": ["{}", "{}"]}
    pq.write_table(pa.table(columns), path)
    service.script = [Said(400, {}, {"errors": [{"index": 1, "detail": "name must match"}]})]
    assert "row 2: name must match" in cave.error("import", "gilt", str(path), *flags(service))


def test_batches_stored_before_are_counted(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    service.script = [REPLAYED, REPLAYED]
    [record] = cave.json("import", "gilt", str(points), *flags(service))
    assert record == {"file": str(points), "points": 5, "batches": 3, "stored_before": 2}
    service.script = [REPLAYED]
    assert "3 batches stored, 1 of them before" in cave.output(
        "import", "gilt", str(points), *flags(service)
    )


def test_a_refused_point_is_named_by_its_line(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    errors = [{"index": 1, "detail": "name must match"}, {"index": 1, "detail": "value must be"}]
    service.script = [Said(202), Said(400, {}, {"errors": errors})]
    assert cave.error("import", "gilt", str(points), *flags(service)) == (
        f"{points}: line 5: name must match, and 1 other fault in this batch "
        "(2 points stored before)"
    )


def test_an_unreadable_line_is_named(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    points.write_text("{}\n{}\nnonsense\n")
    error = cave.error("import", "gilt", str(points), *flags(service))
    assert error.startswith(f"{points}: line 3 is not a JSON object: ")
    assert error.endswith("(2 points stored before)")


def test_the_reason_of_a_refusing_or_unavailable_service_is_shown(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    service.script = [Said(403, {}, {"detail": "the token is unknown"})]
    assert "403 the token is unknown" in cave.error("import", "gilt", str(points), *flags(service))
    service.script = [Said(503, {}, {"detail": "the log does not answer"})]
    assert "503 the log does not answer" in cave.error(
        "import", "gilt", str(points), *flags(service)
    )


def test_missing_or_invalid_arguments_are_usage_errors(
    cave: CommandLine, service: ScriptedService, points: Path, tmp_path: Path
) -> None:
    assert cave("import", "gilt", str(points), "--url", service.url).exit_code == 2
    assert cave("import", "gilt", str(tmp_path / "none.csv"), *flags(service)).exit_code == 2
    assert cave("import", "gilt", str(points), "--token", "t", "--url", "here").exit_code == 2
    unnamed = points.rename(tmp_path / "points")
    result = cave("import", "gilt", str(unnamed), *flags(service))
    assert (result.exit_code, service.received) == (2, [])
    assert "does not have the extension of a known format: use --format" in result.stderr


def test_token_and_url_can_be_set_by_variables(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    result = cave("import", "gilt", str(points), CAVE_TOKEN="t9", CAVE_URL=service.url)
    assert result.exit_code == 0
    assert service.received[0].authorization == "Bearer t9"


def test_correcting_a_refused_line_keeps_the_keys_of_the_batches_before_it(
    cave: CommandLine, service: ScriptedService, points: Path
) -> None:
    service.script = [Said(202), Said(400, {}, {"errors": [{"index": 1, "detail": "no"}]})]
    cave.error("import", "gilt", str(points), *flags(service))
    lines = points.read_text().splitlines(keepends=True)
    points.write_text("".join([*lines[:-1], '{"name":"put.right"}\n']))
    service.script = []
    assert cave("import", "gilt", str(points), *flags(service)).exit_code == 0
    keys = [received.key for received in service.received]
    assert keys[0] == keys[2]
    assert keys[-1] not in keys[:2]
