"""Rules for all commands: help, settings, exit codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from adapters.compiled_code import Program
from application.errors import LogUnavailable
from entrypoints.cli import main
from entrypoints.cli.values import UnicodeText
from entrypoints.errors import CommandFailed
from entrypoints.settings import HttpLimits, LogSettings, ServiceSettings
from tests.compiled_code.missing import raise_not_compiled
from tests.entrypoints.cli_in_memory import CommandLine


def commands(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


OF_A_RANGE = {"export": ("gilt",), "plot": ("gilt", "orders"), "query": ("gilt", "orders")}
"""The commands with `--start` and `--end`, and the arguments that they need."""

LEAVES = [path for path, command in commands() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_help_has_an_example(cave: CommandLine, path: tuple[str, ...]) -> None:
    output = cave.output(*path, "--help")
    assert re.search(rf"Examples?:\n    cave {path[0] if path else ''}", output)


WITHOUT_A_LOG = (("import",), ("compile",))


@pytest.mark.parametrize(
    "path", [path for path in LEAVES if path not in WITHOUT_A_LOG], ids=" ".join
)
def test_every_command_takes_the_log_it_works_on(cave: CommandLine, path: tuple[str, ...]) -> None:
    """All but `import`, which publishes to a service, and `compile`, which reads no data."""
    output = cave.output(*path, "--help")
    assert "--data-dir" in output
    assert "--redis-url" in output


PRINT_NO_RECORDS = {"compile", "demo", "export", "plot", "projector", "serve"}
"""`export` writes records in its own formats, and `plot` draws."""


def test_every_command_that_prints_records_takes_json() -> None:
    takes = {
        " ".join(path): any("--json" in each.opts for each in command.params)
        for path, command in commands()
        if path in LEAVES
    }
    assert {name for name, found in takes.items() if not found} == PRINT_NO_RECORDS


def test_the_commands_are_those_of_the_contract() -> None:
    assert sorted(map(" ".join, LEAVES)) == [
        "compile",
        "demo",
        "events refused",
        "events show",
        "events tail",
        "export",
        "import",
        "log accept-loss",
        "log archive",
        "log restore",
        "log status",
        "log trim",
        "log verify",
        "org create",
        "org erase",
        "org limits",
        "org list",
        "org show",
        "plot",
        "projections",
        "projector",
        "query",
        "replay",
        "serve",
        "team create",
        "team list",
        "token issue",
        "token list",
        "token revoke",
        "verify",
    ]


def test_a_failure_is_one_line_on_stderr(cave: CommandLine) -> None:
    cave.failure = CommandFailed("the data dir is in use")
    assert cave.error("org", "list") == "the data dir is in use"
    cave.failure = LogUnavailable("no answer,\n  no connection")
    assert cave.error("org", "list") == "no answer, no connection"


def test_a_defect_is_one_line_on_stderr(cave: CommandLine) -> None:
    cave.failure = ZeroDivisionError("oops")
    assert cave.error("org", "list") == "defect: ZeroDivisionError: oops"


def test_a_closed_output_is_not_a_failure(cave: CommandLine) -> None:
    cave.failure = BrokenPipeError()
    result = cave("org", "list")
    assert (result.exit_code, result.stderr) == (0, "")


def test_log_settings_are_read_from_variables(cave: CommandLine) -> None:
    result = cave(
        *("org", "list"),
        CAVE_DATA_DIR="/var/lib/cave",
        CAVE_MAX_MEMORY="2GiB",
        CAVE_REDIS_URL="redis://log:6380/2",
        CAVE_KEY_PREFIX="metrics",
        CAVE_PARTITIONS="32",
        CAVE_ALLOW_WEAK_LOG="1",
    )
    assert result.exit_code == 0
    assert cave.opened == [
        LogSettings(
            data_dir=Path("/var/lib/cave"),
            max_memory=2 << 30,
            redis_url="redis://log:6380/2",
            key_prefix="metrics",
            partitions=32,
            allow_weak_log=True,
        )
    ]


def test_an_option_overrides_its_variable(cave: CommandLine) -> None:
    cave("org", "list", "--data-dir", "here", CAVE_DATA_DIR="/var/lib/cave")
    assert cave.opened == [LogSettings(data_dir=Path("here"))]


def test_empty_variables_mean_the_default(cave: CommandLine) -> None:
    cave("org", "list", CAVE_REDIS_URL="", CAVE_PARTITIONS="")
    assert cave.opened == [LogSettings()]


def test_serve_has_the_defaults_of_the_settings(cave: CommandLine) -> None:
    assert cave("serve").exit_code == 0
    assert cave.served == [(ServiceSettings(), "127.0.0.1", 8000)]


def test_serve_settings_are_read_from_variables(cave: CommandLine) -> None:
    cave(
        "serve",
        CAVE_HOST="0.0.0.0",
        CAVE_PORT="80",
        CAVE_WORKERS="4",
        CAVE_NO_PROJECTOR="1",
        CAVE_QUOTA="1e6",
        CAVE_SERIES_LIMIT="50000",
        CAVE_MAX_FUTURE="90m",
        CAVE_MAX_BODY="512KiB",
        CAVE_MAX_INFLATED="1GiB",
        CAVE_MAX_POINTS="10",
        CAVE_MAX_BODY_MEMORY="1000000",
        CAVE_IDEMPOTENCY_MEMORY="2GiB",
        CAVE_OTLP_RESOURCE_ATTRIBUTES="service.name, cloud.*",
        CAVE_OPERATOR_TOKEN="secret",
    )
    limits = HttpLimits(
        max_body=512 << 10, max_inflated=1 << 30, max_points=10, max_body_memory=1_000_000
    )
    settings = ServiceSettings(
        limits=limits,
        max_future=timedelta(minutes=90),
        quota=1_000_000.0,
        series_limit=50_000,
        idempotency_memory=2 << 30,
        otlp_resource_attributes=("service.name", "cloud.*"),
        operator_token="secret",
        workers=4,
        projector=False,
    )
    assert cave.served == [(settings, "0.0.0.0", 80)]


def test_serve_exits_with_the_status_of_the_service(cave: CommandLine) -> None:
    cave.serve_status = 1
    assert cave("serve").exit_code == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CAVE_PORT", "http"),
        ("CAVE_PORT", "65536"),
        ("CAVE_WORKERS", "0"),
        ("CAVE_SERIES_LIMIT", "0"),
        ("CAVE_QUOTA", "0"),
        ("CAVE_QUOTA", "nan"),
        ("CAVE_QUOTA", "many"),
        ("CAVE_MAX_FUTURE", "1 day"),
        ("CAVE_MAX_BODY", "0"),
        ("CAVE_MAX_BODY", "16 apples"),
        ("CAVE_MAX_INFLATED", "-1"),
        ("CAVE_MAX_POINTS", "0"),
        ("CAVE_OTLP_RESOURCE_ATTRIBUTES", "a,,b"),
        ("CAVE_OTLP_RESOURCE_ATTRIBUTES", "*.name"),
        ("CAVE_MAX_MEMORY", "0"),
        ("CAVE_MAX_MEMORY", "25%"),
        ("CAVE_REDIS_URL", "http://log"),
        ("CAVE_REDIS_URL", "redis://log:port"),
        ("CAVE_KEY_PREFIX", "a}b"),
        ("CAVE_PARTITIONS", "0"),
        ("CAVE_ALLOW_WEAK_LOG", "perhaps"),
        ("CAVE_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_variable_is_a_usage_error_that_names_it(
    cave: CommandLine, variable: str, value: str
) -> None:
    result = cave("serve", **{variable: value})
    assert (result.exit_code, cave.served) == (2, [])
    assert variable in result.stderr


def test_a_password_is_not_repeated_in_an_error(cave: CommandLine) -> None:
    result = cave("org", "list", "--redis-url", "http://:hunter2@log")
    assert result.exit_code == 2
    assert "hunter2" not in result.stderr


def test_compile_runs_the_compilation(cave: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Program, "build", lambda program: calls.append(program.name))
    assert cave.output("compile") == ""
    scans = (f"point_formats.{name}.compiled_scan" for name in ("influx", "json", "remote_write"))
    assert {f"adapters.{name}" for name in (*scans, "event_format.compiled_columns")} == {*calls}


def test_compile_says_why_nothing_was_compiled(
    cave: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "build", raise_not_compiled)
    assert cave.error("compile").endswith("without compiled code: Numba is not installed")


def plain_texts(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield each command with each of its parameters of text, as command line arguments."""
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            yield from plain_texts(subcommand, *names, name)
        return
    needed = [p for p in command.params if isinstance(p, click.Argument)]
    for parameter in command.params:
        if isinstance(parameter.type, UnicodeText):
            values = ["\udce9" if p is parameter else "x" for p in needed]
            option = [] if parameter in needed else [parameter.opts[0], "\udce9"]
            yield (*names, *values, *option)


@pytest.mark.parametrize("arguments", [*plain_texts(main)], ids=ascii)
def test_an_argument_that_is_not_unicode_is_a_usage_error(
    cave: CommandLine, arguments: tuple[str, ...]
) -> None:
    result = cave(*arguments)
    assert result.exit_code == 2
    assert "is not valid Unicode" in result.stderr


def test_a_range_that_ends_before_it_starts_is_a_usage_error(cave: CommandLine) -> None:
    found = {
        path
        for path, command in commands()
        if {"--start", "--end"} <= {text for each in command.params for text in each.opts}
    }
    assert found == {(name,) for name in OF_A_RANGE}
    cave.output("org", "create", "gilt")
    cave.publish("gilt", points=1)
    for name, arguments in OF_A_RANGE.items():
        result = cave(name, *arguments, "--start", "2", "--end", "1")
        assert result.exit_code == 2, name
        assert "--start is after --end" in result.stderr
