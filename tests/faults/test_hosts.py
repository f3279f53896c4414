"""Two hosts keep every acknowledged batch and every row, whatever happens to what they share."""

from __future__ import annotations

import pytest

from tests.faults.conftest import ROUNDS
from tests.faults.hosts import FAULTS, Outcome, hardship


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_lost_doubled_set_aside_or_answered_wrongly_whatever_fails() -> None:
    with hardship() as hosts:
        for _ in range(ROUNDS):
            for fault in FAULTS.values():
                hosts.round(fault)
        assert hosts.outcome() == Outcome()
