"""Runs `eventsourcing`'s test cases for persistence modules on our servers.

They are `unittest` classes, which fixtures cannot parametrise. So each is subclassed once per
flavour of server and type of originator id.
"""

import os
from collections.abc import Iterator
from typing import ClassVar
from unittest import TestCase
from uuid import UUID, uuid4

from eventsourcing.utils import Environment

from adapters.redis_streams import Factory

FLAVOURS = ("valkey", "redis-7")
ID_TYPES = ("uuid", "text")


class ServerCase:
    """Mixed in before a test case; `conftest` sets the environment before each test."""

    flavour: ClassVar[str]
    id_type: ClassVar[str]

    def new_originator_id(self) -> UUID | str:
        return uuid4() if self.id_type == "uuid" else f"thing:{uuid4()}"

    def make_factory(self) -> Factory:
        """Return a factory that is closed after the test."""
        factory = Factory(Environment("Things", os.environ))
        assert isinstance(self, TestCase)
        self.addCleanup(factory.close)
        return factory


def on_every_server(
    mixin: type[ServerCase], case: type[TestCase]
) -> Iterator[tuple[str, type[TestCase]]]:
    """Yield the name and class of each variant, to be added to a test module's globals."""
    for flavour in FLAVOURS:
        for id_type in ID_TYPES:
            name = f"Test{case.__name__}[{mixin.__name__}-{flavour}-{id_type}]"
            yield name, type(name, (mixin, case), {"flavour": flavour, "id_type": id_type})
