"""A projector killed at random moments under load neither loses nor doubles a point."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.campaign import Campaign
from tests.faults.conftest import ROUNDS
from tests.service import Service, running
from tests.waiting import wait_until

PROJECTIONS = ("points", "metric_names", "metric_metadata")
PATIENCE = 90.0


def kill_projector(service: Service) -> None:
    """Kill it, and wait until another one has taken its place."""
    (pid,) = service.pids("projector")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: service.pids("projector") not in ([], [pid]))


def lag(service: Service) -> int:
    """Return the total number of events not projected yet."""
    found = [json.loads(line) for line in service.cave("projections", "--json").splitlines()]
    assert {each["name"] for each in found} == set(PROJECTIONS)
    return sum(each["lag_events"] for each in found)


@pytest.mark.slow
def test_projections_have_every_point_once_after_the_projector_was_killed() -> None:
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory))
        with running(service):
            campaign = Campaign(service)
            with campaign.load():
                for _ in range(ROUNDS):
                    time.sleep(random.uniform(0, 1.0))
                    kill_projector(service)
            wait_until(lambda: lag(service) == 0, PATIENCE)
            for projection in PROJECTIONS:
                assert json.loads(service.cave("verify", projection, "--json"))["agrees"]
            campaign.ledger.check(service)
