"""Where an event has to be before it is acknowledged."""

from __future__ import annotations

import re

from msgspec import Struct

LOCAL = "local"
MAX_REPLICAS = 99

_replicated = re.compile(r"replicated:([1-9][0-9]?)\Z", re.ASCII).match


class Durability(Struct, frozen=True):
    """`replicas` is how many have to have an event besides the log server itself; 0 is `local`."""

    replicas: int = 0

    @classmethod
    def parse(cls, text: str) -> Durability:
        """Return the durability that `local` or `replicated:N` names. Raises ValueError."""
        if text == LOCAL:
            return cls()
        if match := _replicated(text):
            return cls(int(match[1]))
        raise ValueError(
            f"{text!r} is not a durability: use {LOCAL!r}, or 'replicated:N' "
            f"with the number of replicas, 1 to {MAX_REPLICAS}"
        )

    def __str__(self) -> str:
        return f"replicated:{self.replicas}" if self.replicas else LOCAL


NO_REPLICAS = Durability()
