"""A service over organizations in memory, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.eventsourcing.organizations import Organizations
from tests.application.doubles import FakeClock, Service, organizations_in_memory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def organizations() -> Iterator[Organizations]:
    with organizations_in_memory() as opened:
        yield opened


@pytest.fixture
def service(organizations: Organizations, clock: FakeClock) -> Service:
    return Service(organizations, organizations, clock)
