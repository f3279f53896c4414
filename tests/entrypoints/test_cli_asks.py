"""The number of reads of the organizations' log does not depend on the number of organizations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entrypoints.cli_in_memory import CommandLine

COMMANDS = [
    ("org", "list"),
    ("org", "show", "o0"),
    ("team", "list", "o0"),
    ("token", "list", "o0"),
    ("export", "o0"),
    ("export", "o0", "--team", "t0"),
]


@pytest.fixture
def asks(cave: CommandLine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the recorder's read methods."""
    asked: list[str] = []
    recorder = cave._organizations.recorder
    for name in ("select_events", "select_notifications", "max_notification_id"):
        original = getattr(recorder, name)

        def counted(*a: Any, _name: str = name, _original: Any = original, **k: Any) -> Any:
            asked.append(_name)
            return _original(*a, **k)

        monkeypatch.setattr(recorder, name, counted)
    return asked


def test_commands_read_as_often_for_many_organizations_as_for_few(
    cave: CommandLine, asks: list[str]
) -> None:
    counts = []
    for numbers in (range(2), range(2, 40)):
        for number in numbers:
            cave.output("org", "create", f"o{number}")
            cave.output("team", "create", "o0", f"t{number}")
        of_command = {}
        for command in COMMANDS:
            asks.clear()
            cave.output(*command)
            of_command[command] = list(asks)
        counts.append(of_command)
    assert counts[0] == counts[1]
    assert all(counts[0].values())
