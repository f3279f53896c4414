"""Sharing out a generation's partitions among the processes that write it.

The partitions are in a fixed number of shares, each with a lease of its own. Every process takes a
seat, which is a lease too, so that all of them see how many there are. Each holds its fair part of
the shares: it gives some up when another process arrives, and takes those that are free.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping

from adapters.ducklake.lease.table import Holder

SHARES = 4
"""Shares of a new generation, and so the most processes that write it at the same time. A commit
pays for each share that it has events of."""

_SHARE = ":share:"
_SEAT = ":seat:"


def share_name(generation: str, share: int) -> str:
    """Return the name of the lease of a share."""
    return f"{generation}{_SHARE}{share}"


def new_seat_name(generation: str) -> str:
    """Return the name of the lease of a new process."""
    return f"{generation}{_SEAT}{secrets.token_hex(8)}"


def expired_seats(generation: str, holders: Mapping[str, Holder]) -> list[str]:
    """Return the owners of the seats that have expired; they hold nothing any more."""
    return [
        holder.owner
        for name, holder in holders.items()
        if name.startswith(generation + _SEAT) and holder.seconds <= 0
    ]


def share_holders(generation: str, holders: Mapping[str, Holder]) -> dict[int, str]:
    """Return the owner of each share whose lease has not expired."""
    prefix = generation + _SHARE
    return {
        int(name.removeprefix(prefix)): holder.owner
        for name, holder in holders.items()
        if name.startswith(prefix) and holder.seconds > 0
    }


def fair_part(generation: str, holders: Mapping[str, Holder], shares: int, owner: str) -> int:
    """Return how many shares an owner is to hold, who may have no seat yet.

    The parts of all owners differ by at most one. Those who hold most get the larger ones, so that
    nothing moves once the shares are shared out.
    """
    held = Counter(share_holders(generation, holders).values())
    seated = {
        holder.owner
        for name, holder in holders.items()
        if name.startswith(generation + _SEAT) and holder.seconds > 0
    }
    order = sorted({*seated, owner}, key=lambda each: (-held[each], each))
    part, more = divmod(shares, len(order))
    return part + (order.index(owner) < more)
