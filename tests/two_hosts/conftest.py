"""Two hosts for all tests of this folder, and the fixtures of the tests with one host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import httpx
import pytest

from tests.e2e.conftest import MAX_BODY, MAX_INFLATED, MAX_POINTS
from tests.e2e.tenant import Tenant
from tests.hosts import Hosts, running_hosts
from tests.service import Service
from tests.two_hosts.alternating import Alternating, AlternatingTransport


# For this folder only: while they run, variables of this process name their object store.
@pytest.fixture(scope="package")
def hosts() -> Iterator[Hosts]:
    with running_hosts(
        MAX_BODY=MAX_BODY, MAX_INFLATED=MAX_INFLATED, MAX_POINTS=MAX_POINTS
    ) as hosts:
        yield hosts


@pytest.fixture(scope="package")
def service(hosts: Hosts) -> Service:
    return cast("Service", Alternating(hosts.services))


@pytest.fixture(scope="package")
def client(hosts: Hosts) -> Iterator[httpx.Client]:
    transport = AlternatingTransport(hosts.services)
    with httpx.Client(transport=transport, base_url="http://either", timeout=60) as client:
        yield client


@pytest.fixture
def tenant(service: Service, client: httpx.Client) -> Tenant:
    return Tenant(service, client)
