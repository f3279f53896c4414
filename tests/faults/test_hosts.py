"""Two hosts keep every acknowledged batch and every row, whatever happens to what they share."""

from __future__ import annotations

from tests.faults.conftest import ROUNDS
from tests.faults.hosts import FAULTS, SETTINGS, Hardship
from tests.hosts import running_hosts


def test_nothing_is_lost_doubled_or_set_aside_whatever_fails() -> None:
    with running_hosts(**SETTINGS) as hosts:
        hardship = Hardship(hosts)
        for _ in range(ROUNDS):
            for fault in FAULTS.values():
                hardship.round(fault)
        hardship.check()
