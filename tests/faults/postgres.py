"""PostgreSQL, or one of its sessions, is killed in the middle of a commit of a projector."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from tests.hosts import Hosts

SEARCH_SECONDS = 10.0
WRITES = ("INSERT", "COMMIT", "UPDATE")


def server_killed(hosts: Hosts) -> None:
    """Kill the server with all its sessions, one of which is writing, and start it again."""
    _writing_session(hosts)
    hosts.postgres.kill()
    time.sleep(random.uniform(0.0, 1.0))
    hosts.postgres.start()


def session_killed(hosts: Hosts) -> None:
    """Kill a session that is writing; the server then ends all others, and recovers."""
    with suppress(ProcessLookupError):
        os.kill(_writing_session(hosts), signal.SIGKILL)


def _writing_session(hosts: Hosts) -> int:
    """Return the process of a session that is writing, or of any if none is seen for long."""
    deadline = time.monotonic() + SEARCH_SECONDS
    while True:
        sessions = hosts.postgres.sessions()
        # Listing processes takes longer than a commit; asking what they do does not.
        for _ in range(200):
            for session in sessions:
                if hosts.postgres.doing(session).endswith(WRITES):
                    return session
        if sessions and time.monotonic() > deadline:
            return random.choice(sessions)


FAULTS: Mapping[str, Callable[[Hosts], None]] = {
    "PostgreSQL killed": server_killed,
    "session of PostgreSQL killed": session_killed,
}
