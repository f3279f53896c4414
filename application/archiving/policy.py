"""When entries are moved to the archive."""

from __future__ import annotations

from msgspec import Struct

SOFT_SHARE = 0.75
"""Share of the memory limit from which entries are moved to the archive before their time."""


class ArchivePolicy(Struct, frozen=True, kw_only=True):
    """When entries are moved to the archive.

    An event is sealed at most `every` seconds after it was accepted, and removed from the log
    server after `hot_age` seconds. Both happen earlier once the entries take more of the server's
    memory than SOFT_SHARE of `hot_memory` bytes.
    """

    every: float = 600.0
    hot_age: float = 3600.0
    hot_memory: int = 512 << 20
