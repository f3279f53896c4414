import pytest

from tests.entrypoints.cli_in_memory import CommandLine


@pytest.fixture
def cave(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """`cave` on adapters in memory, without settings from the environment."""
    return CommandLine(monkeypatch)
