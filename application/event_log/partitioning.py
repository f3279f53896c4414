"""The partition of an organization's metrics."""

from __future__ import annotations

from zlib import crc32

DEFAULT_PARTITIONS = 16
MAX_PARTITIONS = 4096


def partition_of(organization: str, partitions: int) -> int:
    """Return the partition, from 0: CRC-32 (IEEE) of the UTF-8 name, modulo `partitions`.

    Part of the log's format: it must never change for a log that has events.
    """
    return crc32(organization.encode()) % partitions
