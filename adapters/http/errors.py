"""What only a request can get wrong."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from domain.errors import MAX_FAULTS, Fault


class RequestError(Exception):
    """A request that cannot be a command. The message is for the person who sent it."""


class InvalidBody(RequestError):
    """The body is JSON, but not what the operation takes; `faults` says where."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.detail for fault in faults))


class ParameterFault(Struct, frozen=True):
    """A parameter of the URL that is wrong, and what would be right."""

    parameter: str
    detail: str


class InvalidParameters(RequestError):
    """Parameters of the URL are missing, unknown or out of their rule; `faults` says which."""

    def __init__(self, faults: Iterable[ParameterFault]) -> None:
        self.faults = tuple(faults)[:MAX_FAULTS]
        super().__init__("; ".join(f"{f.parameter}: {f.detail}" for f in self.faults))


class MissingCredentials(RequestError):
    """No token was presented, or by a scheme that is neither Basic nor Bearer."""


class UnsupportedMedia(RequestError):
    """The media type is not JSON, or the encoding none that is supported."""


class TooManyBodies(RequestError):
    """This worker already holds as many bodies as its memory allows."""
