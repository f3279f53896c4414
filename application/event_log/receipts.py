"""Receipts and positions: the place of an event in the metric log."""

from __future__ import annotations

import re

from msgspec import Struct

SEQUENCE_BITS = 20
"""An event id `ms-seq` as one integer is `ms << 20 | seq`."""

SEQUENCE_LIMIT = 1 << SEQUENCE_BITS
"""The first sequence number that no position can hold."""

_receipt = re.compile(r"(\d{1,5})-(\d{1,13})-(\d{1,7})\Z", re.ASCII).match


class Receipt(Struct, frozen=True, order=True, gc=False):
    """The place of a batch in the log: its partition, and the event's id `ms-seq` in there."""

    partition: int
    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.milliseconds}-{self.sequence}"

    @property
    def event_id(self) -> str:
        """The event's id within its partition, `ms-seq`."""
        return f"{self.milliseconds}-{self.sequence}"

    @property
    def position(self) -> int:
        """The event's position in its partition: an integer that increases with its id."""
        return self.milliseconds << SEQUENCE_BITS | self.sequence

    @classmethod
    def at(cls, partition: int, position: int) -> Receipt:
        """Return the receipt of the event at an integer position."""
        return cls(partition, position >> SEQUENCE_BITS, position & SEQUENCE_LIMIT - 1)

    @classmethod
    def of(cls, partition: int, event_id: bytes) -> Receipt:
        """Return the receipt of an id `ms-seq`, as the log server writes it."""
        milliseconds, _, sequence = event_id.partition(b"-")
        return cls(partition, int(milliseconds), int(sequence))

    @classmethod
    def parse(cls, text: str) -> Receipt:
        """Parse `<partition>-<ms>-<seq>`. Raises ValueError."""
        if not (match := _receipt(text)):
            raise ValueError(f"{text!r} is not a receipt (<partition>-<milliseconds>-<sequence>)")
        receipt = cls(*map(int, match.groups()))
        if receipt.sequence >= SEQUENCE_LIMIT:
            raise ValueError(f"{text!r} is not a receipt: its sequence is out of range")
        return receipt
