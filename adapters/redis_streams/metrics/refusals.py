"""Answers of a cluster's nodes to what they did not execute, but another node or they later may."""

from __future__ import annotations

import hiredis
from msgspec import Struct

from adapters.redis_streams.urls import Address

LATER = frozenset({"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"})


class Refusal(Struct, frozen=True):
    """A command that was certainly not executed.

    `code` is MOVED if the slot is another node's from now on, ASK if that has only this key so far,
    and one of `LATER` if it may be executed a little later. `address` is that other node's.
    """

    code: str
    address: Address | None = None

    @classmethod
    def of(cls, reply: object, asked: Address | None) -> Refusal | None:
        """Return the refusal that a reply of the node `asked` is, or None."""
        if not isinstance(reply, hiredis.ReplyError):
            return None
        code, *rest = str(reply).split(" ")
        if code in LATER:
            return cls(code)
        if code in {"MOVED", "ASK"}:
            host, _, port = rest[1].rpartition(":")
            # Without a host, it is that of the node that answers.
            return cls(code, (host or (asked[0] if asked else ""), int(port)))
        return None
