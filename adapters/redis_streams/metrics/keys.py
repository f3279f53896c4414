"""Names of the metric log's keys.

`{<prefix>:metrics}:settings`, a hash: `partitions` and the log's `id`, fixed when the log was
created; `archive`, the URL of its archive; `archiver`, the archiver's last state, as JSON.
`{<prefix>:metrics:<p>}:log`, a stream per partition.
`{<prefix>:metrics:<p>}:end`, a hash: whose end the log has, and what it has lost from it, see
`losses`.
`{<prefix>:metrics:<p>}:archiver`, a string that expires: who may trim the partition.
`{<prefix>:metrics:<p>}:fence`, a string that expires: written only to wait for replicas behind it.
`{<prefix>:metrics:<p>}:idempotency:<window>…`, hashes that expire: the records of publishes with
idempotency keys, see docs/event-format.md.
`{<prefix>:metrics:<p>}:refused:<organization>`, a capped stream, no part of the log: the last
points that were refused.
`{<prefix>:metrics:<p>}:quota:<organization>`, a hash that expires, no part of the log: the token
bucket of the organization's quota.
`{<prefix>:metrics:<p>}:series:<organization>:<day since the epoch>`, a set that expires, no part of
the log: the series of the organization whose last points are of that day, if it has a limit.
`{<prefix>:metrics:<p>}:points:<hour>:<organization>`, a hash that expires, and
`{<prefix>:metrics:<p>}:token-uses:<organization>`, a sorted set: see `usage`.
The hash tag in braces keeps a partition in one cluster slot.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct


class MetricKeys(Struct, frozen=True):
    prefix: str

    @property
    def settings(self) -> str:
        return f"{{{self.prefix}:metrics}}:settings"

    def log(self, partition: int) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:log"

    def end(self, partition: int) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:end"

    def archiver(self, partition: int) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:archiver"

    def fence(self, partition: int) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:fence"

    def refused(self, partition: int, organization: str) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:refused:{organization}"

    def quota(self, partition: int, organization: str) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:quota:{organization}"

    def series(self, partition: int, organization: str) -> str:
        """Return the beginning of the keys of an organization's active series."""
        return f"{{{self.prefix}:metrics:{partition}}}:series:{organization}"

    def points(self, partition: int, hour: int, organization: str) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:points:{hour}:{organization}"

    def token_uses(self, partition: int, organization: str) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:token-uses:{organization}"

    def idempotency(self, partition: int) -> str:
        """Return the beginning of all keys of a partition's records.

        There is no such key itself. While a cluster moves the partition's slot key by key, its
        servers refuse a command that names several keys if they do not have them all. So they
        refuse every call that names this one, and none is executed with some of its records
        elsewhere.
        """
        return f"{{{self.prefix}:metrics:{partition}}}:idempotency"

    def idempotency_index(self, partition: int, window_ms: int) -> str:
        """Return the key of the hash that has the number of records of each slice of time."""
        return f"{self.idempotency(partition)}:{window_ms}"


def earlier_record(organization: str, key: str) -> str:
    """Return the rest of the key that a record had until release 0.1.0: each was a string."""
    return f"{organization}:{sha256(key.encode()).hexdigest()}"
