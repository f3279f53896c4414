"""Faults at random moments under load: every acknowledged batch is in the log exactly once.

Each kind of fault has its own data directory, on which the service is restarted again and again.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.redis_streams.metrics.link import REPLY_TIMEOUT
from tests.faults.campaign import Campaign
from tests.faults.conftest import ROUNDS
from tests.service import Service, running


def kill_everything(service: Service) -> None:
    """Kill the supervisor, its workers and the log server together, as a power cut would."""
    service.kill_all()
    service.start()


def kill_supervisor(service: Service) -> None:
    """Kill the supervisor; its children then end, and the next service waits for their locks."""
    os.kill(service.pid, signal.SIGKILL)
    service.wait()
    service.start()


def kill_log_server(service: Service) -> None:
    (pid,) = service.pids("log-server")
    os.kill(pid, signal.SIGKILL)


def kill_worker(service: Service) -> None:
    os.kill(random.choice(service.pids("worker")), signal.SIGKILL)


def stall_log_server(service: Service) -> None:
    """Stall it for less than the service waits for an answer: everything just waits."""
    stall(service, random.uniform(0.1, 1.0))


def stall_log_server_for_long(service: Service) -> None:
    """Stall it for longer than that: the outcome of writes in flight is unknown."""
    stall(service, REPLY_TIMEOUT + 0.5)


def stall(service: Service, seconds: float) -> None:
    (pid,) = service.pids("log-server")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


Fault = Callable[[Service], None]
FAULTS = [
    kill_everything,
    kill_supervisor,
    kill_log_server,
    kill_worker,
    stall_log_server,
    stall_log_server_for_long,
]
RESTART_EVERY = 5
"""Rounds between restarts of the service, which reset the growing delays of its children."""


SLOW = {kill_supervisor, stall_log_server, kill_log_server}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(fault, marks=[pytest.mark.slow] if fault in SLOW else []) for fault in FAULTS
    ],
    ids=lambda fault: fault.__name__,
)
def campaign_of_fault(request: pytest.FixtureRequest) -> Iterator[tuple[Campaign, Fault]]:
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory), WORKERS=2)
        with running(service):
            yield Campaign(service), request.param


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_acknowledged_batch_is_stored_exactly_once(
    campaign_of_fault: tuple[Campaign, Fault], round_: int
) -> None:
    """The service recovers by itself: every client is acknowledged again after the fault."""
    campaign, fault = campaign_of_fault
    with campaign.load():
        time.sleep(random.uniform(0, 0.5))
        fault(campaign.hosts[0])
    campaign.ledger.check(campaign.hosts[0])
    if round_ % RESTART_EVERY == RESTART_EVERY - 1:
        assert campaign.hosts[0].stop() == 0
        campaign.hosts[0].start()
