"""The read model in memory fulfils the ports' contracts."""

from __future__ import annotations

import pytest

from adapters.memory.read_model import MemoryReadModel
from tests.contracts.read_model import ReadModelContract, ReadModelUnderTest


class TestMemoryReadModel(ReadModelContract):
    @pytest.fixture
    def opened(self) -> ReadModelUnderTest:
        model = MemoryReadModel()
        return ReadModelUnderTest(
            model,
            model,
            model,
            lambda events: model.add(*events),
            lambda label, events: model.add(*events, label=label),
        )
