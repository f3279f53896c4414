"""Terminals of any encoding, and text that a terminal would obey."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.errors import LogUnavailable
from application.reading.ports import Sample
from entrypoints.cli import output
from entrypoints.cli.chart import chart
from entrypoints.cli.terminal import encodes, printable, replace_what_cannot_be_written
from tests.entrypoints.cli_in_memory import CommandLine
from tests.entrypoints.test_chart import MINUTE, START

HOST = "名前-é-\N{GRINNING FACE}"
ENCODINGS = ["latin-1", "cp1252", "koi8-r", "utf-8"]
PRINTING = {
    "tail": ("events", "tail", "--no-follow"),
    "tail as JSON": ("events", "tail", "--no-follow", "--json"),
    "show": ("events", "show", "RECEIPT"),
    "show as JSON": ("events", "show", "RECEIPT", "--json"),
    "org list": ("org", "list"),
    "org show": ("org", "show", "gilt"),
    "team list": ("team", "list", "gilt"),
    "token list": ("token", "list", "gilt"),
    "token issue": ("token", "issue", "gilt", "--description", HOST),
    "plot": ("plot", "gilt", "orders"),
    "plot of tags": ("plot", "gilt", "orders", "--tags", f"host:{HOST}"),
    "export": ("export", "gilt"),
    "projections": ("projections",),
    "help": ("--help",),
    "help on plot": ("plot", "--help"),
}


@pytest.fixture
def filled(cave: CommandLine) -> CommandLine:
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    cave.output("token", "issue", "gilt", "--description", HOST)
    return cave


@pytest.mark.parametrize("charset", ENCODINGS)
@pytest.mark.parametrize("command", PRINTING)
def test_every_command_succeeds_with_any_terminal_encoding(
    filled: CommandLine, command: str, charset: str
) -> None:
    receipt = filled.publish("gilt", host=HOST)
    filled.charset = charset
    result = filled(*(part.replace("RECEIPT", receipt) for part in PRINTING[command]))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes


def test_characters_outside_the_encoding_are_replaced(filled: CommandLine) -> None:
    filled.publish("gilt", host=HOST)
    filled.charset = "latin-1"
    assert "host=??-é-?" in filled.output("events", "tail", "--no-follow")


@pytest.mark.parametrize("command", ["tail as JSON", "export"])
def test_formats_for_programs_stay_utf_8(filled: CommandLine, command: str) -> None:
    filled.publish("gilt", host=HOST)
    filled.charset = "latin-1"
    assert HOST.encode() in filled(*PRINTING[command]).stdout_bytes


@pytest.mark.parametrize("charset", ENCODINGS)
@pytest.mark.parametrize(
    "wrong", [("org", "show", HOST), ("plot", "gilt", HOST), ("events", HOST), ("--option", HOST)]
)
def test_failures_are_reported_with_any_terminal_encoding(
    filled: CommandLine, wrong: tuple[str, ...], charset: str
) -> None:
    filled.charset = charset
    result = filled(*wrong)
    assert result.exit_code in (1, 2)
    assert "Error: " in result.stderr
    assert "defect" not in result.stderr


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}])
def test_a_process_replaces_characters_outside_the_encoding(environment: dict[str, str]) -> None:
    """The script as users run it, on the interpreter's own streams."""
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "entrypoints.cli", "plot", HOST, HOST, "--period", HOST],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(output.__file__).parents[2])}
        | environment,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 2
    assert b"Invalid value for '--period'" in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_tables_and_charts_use_characters_of_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of Rich as on a terminal, and charts of plotext."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    replace_what_cannot_be_written()
    output.print_table(("name", "tags"), [("orders", HOST)])
    output.print_line(("orders", "bold"), HOST)
    sys.stdout.flush()
    assert b"orders" in written.getvalue()
    assert not encodes("⣿")
    assert encodes("é")
    samples = [Sample(START + place * MINUTE, float(place)) for place in range(9)]
    drawn = chart([samples], MINUTE, "gilt", width=80, colored=False, ascii_only=True)
    assert drawn.isascii()
    assert "*" in drawn


@given(st.text())
def test_control_characters_are_escaped(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160]
    assert [c for c in shown if c not in "\\x0123456789abcdef"] == [
        c
        for c in text
        if ord(c) >= 32 and not 127 <= ord(c) < 160 and c not in "\\x0123456789abcdef"
    ]


CLEARING = "a\x1b[2Jb\x9bc"


def test_no_record_or_error_reaches_the_terminal_with_its_control_characters(
    cave: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    output.print_fields([("reason", CLEARING)])
    output.print_table(("reason",), [(CLEARING,)])
    output.print_line((CLEARING, "red"), CLEARING)
    printed = capsys.readouterr().out
    assert printed.count(r"a\x1b[2Jb\x9bc") == 4
    assert not set(printed) & {"\x1b", "\x9b"}
    cave.failure = LogUnavailable(CLEARING)
    assert cave.error("org", "list") == r"a\x1b[2Jb\x9bc"
