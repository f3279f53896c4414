"""The object store fails while the projectors and archivers write, merge, delete and read files."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from tests.faulty_s3 import FAILURES
from tests.hosts import Hosts


def fails(hosts: Hosts) -> None:
    """Let it fail in one way after the other."""
    for failure in random.sample(FAILURES, len(FAILURES)):
        with hosts.s3.failing(failure):
            time.sleep(random.uniform(0.3, 0.8))
        time.sleep(random.uniform(0.0, 0.2))


FAULTS: Mapping[str, Callable[[Hosts], None]] = {"object store fails": fails}
