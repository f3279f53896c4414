"""All processes of one of two hosts are killed; the other one takes over what it wrote."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from tests.hosts import Hosts


def killed(hosts: Hosts) -> None:
    """Kill the processes of a host, and start it again after a moment or after a takeover."""
    service = random.choice(hosts.services)
    service.kill_all()
    time.sleep(random.uniform(0.0, 4.0))
    service.start()


FAULTS: Mapping[str, Callable[[Hosts], None]] = {"host killed": killed}
