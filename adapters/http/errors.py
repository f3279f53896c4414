"""Errors that are specific to HTTP requests."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from domain.errors import MAX_FAULTS, Fault


class RequestError(Exception):
    """A request is invalid. The message is for its sender."""


class InvalidBody(RequestError):
    """The body is JSON, but invalid for the operation; `faults` says where."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.detail for fault in faults))


class ParameterFault(Struct, frozen=True):
    """What is wrong with a parameter of the URL."""

    parameter: str
    detail: str


class InvalidParameters(RequestError):
    """Parameters of the URL are missing, unknown or invalid; `faults` lists them."""

    def __init__(self, faults: Iterable[ParameterFault]) -> None:
        self.faults = tuple(faults)[:MAX_FAULTS]
        super().__init__("; ".join(f"{f.parameter}: {f.detail}" for f in self.faults))


class MissingCredentials(RequestError):
    """There is no token, or its scheme is neither Basic nor Bearer."""


class UnsupportedMedia(RequestError):
    """The media type or the content encoding is not supported."""


class TooManyBodies(RequestError):
    """The bodies that this worker holds use all the memory allowed for them."""
