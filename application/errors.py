"""What can go wrong between a use case and its ports. Each means that nothing was acknowledged."""

from __future__ import annotations


class LogError(Exception):
    """The event log cannot do what was asked for now. The service's fault, never the client's."""


class LogUnavailable(LogError):
    """The log does not answer, or refuses writes. Nothing was written."""


class LogFull(LogError):
    """The log has no room. Nothing was written."""


class LogSaturated(LogError):
    """More is waiting to be written than the limit allows. Nothing was written."""


class OutcomeUnknown(LogError):
    """The connection died mid-write: the event may or may not be in the log.

    A retry with the same idempotency key is safe; one without may store the batch twice.
    """


class LogUnfit(LogError):
    """The log server, or the log on it, is not what the service needs: a person must see to it."""


class DirectoryStale(LogError):
    """The token directory has not heard from the log for too long to be trusted."""


class VersionConflict(LogError):
    """Another writer changed the aggregate since it was read. Nothing was written; read again."""


class MalformedBody(ValueError):
    """The client's body is not of its format, is cut short, or cannot be inflated."""


class BodyTooLarge(ValueError):
    """The client's body is over a limit: its bytes as sent, inflated, or its points."""


class UnknownReceipt(LookupError):
    """No event of the log has that receipt."""
