"""Names of the keys of one application's events.

With the prefix ``cave`` and the application ``organizations``, the keys are

- ``{cave:organizations}:log``, a stream: every event once, in the order recorded. The ids are
  ``0-1``, ``0-2``, …; their second part is the notification id. Fields: see `codec`.
- ``{cave:organizations}:<originator id>``, a sorted set per originator: the scores are versions,
  the members notification ids.
- ``{cave:organizations}:tracking``, a hash: upstream application → its last notification id that
  was processed.
- ``{cave:organizations}:fence``, a string that expires: written only to wait for replicas behind
  it.
- ``{cave:organizations}/<purpose>:log`` and ``{cave:organizations}/<purpose>:<originator id>``, the
  same for an aggregate recorder with a purpose other than events (``snapshots``).

The part in braces is the hash tag that keeps one application in one cluster slot. An originator id
may be anything but ``log``, ``tracking`` and ``fence``; no other keys have the same prefix.
"""

from uuid import UUID

from eventsourcing.persistence import ProgrammingError

EVENTS = "events"
RESERVED = frozenset({"log", "tracking", "fence"})


class Keys:
    """The keys of one application and purpose.

    Raises `ValueError` if the prefix or the application's name contains a brace, which would change
    the hash tag and spread the keys over several slots.
    """

    def __init__(self, prefix: str, application: str = "", purpose: str = EVENTS) -> None:
        tag = f"{prefix}:{application}" if application else prefix
        if not tag or "{" in tag or "}" in tag:
            raise ValueError(f"Key prefix must not be empty or contain braces: {tag!r}")
        root = f"{{{tag}}}"
        self._base = f"{root}:" if purpose == EVENTS else f"{root}/{purpose}:"
        self.log = f"{self._base}log"
        self.tracking = f"{root}:tracking"
        self.fence = f"{root}:fence"

    def index(self, originator_id: UUID | str) -> str:
        """Return the key of an originator's index; `ProgrammingError` if its id is reserved."""
        name = str(originator_id)
        if name in RESERVED:
            raise ProgrammingError(f"Originator id {name!r} is reserved for another key")
        return self._base + name
