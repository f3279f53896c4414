"""What only a request can get wrong."""

from __future__ import annotations

from domain.errors import Fault


class RequestError(Exception):
    """A request that cannot be a command. The message is for the person who sent it."""


class MalformedBody(RequestError):
    """The body is no JSON, is cut short, or cannot be inflated."""


class InvalidBody(RequestError):
    """The body is JSON, but not what the operation takes; `faults` says where."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.detail for fault in faults))


class MissingCredentials(RequestError):
    """No token was presented, or by a scheme that is neither Basic nor Bearer."""


class BodyTooLarge(RequestError):
    """The body is over a limit: its bytes as sent, inflated, or its points."""


class UnsupportedMedia(RequestError):
    """The media type is not JSON, or the encoding none that is supported."""


class TooManyBodies(RequestError):
    """This worker already holds as many bodies as its memory allows."""
