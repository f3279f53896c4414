"""Receipts and positions: the place of an event in the metric log."""

from __future__ import annotations

import re

from msgspec import Struct

SEQUENCE_BITS = 20
"""An event id `ms-seq` as one integer is `ms << 20 | seq`."""

_receipt = re.compile(r"(\d{1,5})-(\d{1,13})-(\d{1,7})\Z", re.ASCII).match


class Receipt(Struct, frozen=True, order=True):
    """The place of a batch in the log: its partition, and the event's id `ms-seq` in there."""

    partition: int
    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.milliseconds}-{self.sequence}"

    @property
    def position(self) -> int:
        """The event's position in its partition: an integer that increases with its id."""
        return self.milliseconds << SEQUENCE_BITS | self.sequence

    @classmethod
    def at(cls, partition: int, position: int) -> Receipt:
        """Return the receipt of the event at an integer position."""
        return cls(partition, position >> SEQUENCE_BITS, position & (1 << SEQUENCE_BITS) - 1)

    @classmethod
    def parse(cls, text: str) -> Receipt:
        """Parse `<partition>-<ms>-<seq>`. Raises ValueError."""
        if not (match := _receipt(text)):
            raise ValueError(f"{text!r} is not a receipt (<partition>-<milliseconds>-<sequence>)")
        receipt = cls(*map(int, match.groups()))
        if receipt.sequence >= 1 << SEQUENCE_BITS:
            raise ValueError(f"{text!r} is not a receipt: its sequence is out of range")
        return receipt
