"""Names of the metric log's keys.

`{<prefix>:metrics}:settings`, a hash: `partitions` and the log's `id`, fixed when the log was
created; `archive`, the URL of its archive; `archiver`, the archiver's last state, as JSON.
`{<prefix>:metrics:<p>}:log`, a stream per partition.
`{<prefix>:metrics:<p>}:archiver`, a string that expires: who may trim the partition.
`{<prefix>:metrics:<p>}:idempotency:<organization>:<digest>`, a string that expires: the record of a
publish with an idempotency key. The hash tag in braces keeps a partition in one cluster slot.
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

    def archiver(self, partition: int) -> str:
        return f"{{{self.prefix}:metrics:{partition}}}:archiver"

    def idempotency(self, partition: int, organization: str, key: str) -> str:
        digest = sha256(key.encode()).hexdigest()
        return f"{{{self.prefix}:metrics:{partition}}}:idempotency:{organization}:{digest}"
