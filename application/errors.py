"""Errors between use cases and their ports. After each of them, nothing has been acknowledged."""

from __future__ import annotations

from application.event_log.receipts import Receipt


class LogError(Exception):
    """The event log cannot serve the request now. The service's fault, never the client's."""


class LogUnavailable(LogError):
    """The log does not answer, or refuses reads or writes. Nothing was written."""


class LogFull(LogError):
    """The log has no space left. Nothing was written. The operator has to make room."""


class LogSaturated(LogError):
    """The queue of appends is at its limit: the service is overloaded. Nothing was written."""


class IdempotencyFull(LogError):
    """The log remembers as many idempotency keys as it may, `limit`. Nothing was written.

    Only publishes with a new key are refused. Keys are forgotten with time; the operator can raise
    the limit.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the log remembers {limit:,} idempotency keys, which is as many as the setting "
            "--idempotency-memory allows, so the batch was not stored; keys used before still work"
        )


class OutcomeUnknown(LogError):
    """The event may or may not be in the log, or may not stay there.

    The connection died mid-write, or fewer replicas than required have the event.
    A retry with the same idempotency key is safe; one without a key may store the batch twice.
    """


class LogUnfit(LogError):
    """The log server, or the log on it, does not meet the requirements. The operator must fix it.

    Trying again does not help.
    """


class LogGap(LogError):
    """Events of the log are missing. The operator must act; trying again does not help.

    `first` and `last` are the first and last missing positions as receipts; `last` is None if
    nothing says where the gap ends. Not each place between them had an event: `events` is how many
    did, or None if that is unknown. `why` is empty, or says how it is known.
    """

    def __init__(
        self, first: Receipt, last: Receipt | None, events: int | None = None, why: str = ""
    ) -> None:
        self.first = first
        self.last = last
        self.events = events
        self.why = why
        match events:
            case None:
                missing = "events are"
            case 1:
                missing = "1 event is"
            case _:
                missing = f"{events:,} events are"
        where = f"after {first} on" if last is None else f"from {first} to {last}"
        where = f"at {first}" if first == last else where
        super().__init__(f"{missing} missing from the log, {where}{why and f': {why}'}")

    def concerns(self, after: int) -> bool:
        """Return whether a reader that has read up to the position `after` meets the gap."""
        return self.last is None or after < self.last.position


class ArchiveUnavailable(LogUnavailable):
    """The store of the archive does not answer, or refuses. Nothing was changed; try again."""


class ArchiveDamaged(LogError):
    """A file of the archive is not what was written; the message names it.

    Trying again does not help: the operator has to bring back the file.
    """


class ArchiveConflict(LogError):
    """Another process has added to the archive meanwhile. Nothing was added; start again."""


class DirectoryStale(LogError):
    """The token directory has been out of touch with the log for too long to be trusted."""


class VersionConflict(LogError):
    """Another writer changed the aggregate since it was read. Nobody's fault.

    Nothing was written. Read the aggregate again and decide again.
    """


class MalformedBody(ValueError):
    """The body is not in its format, is cut short, or cannot be inflated. The client's fault."""


class BodyTooLarge(ValueError):
    """The body exceeds a limit: of bytes as sent, of bytes inflated, or of points.

    The client's fault.
    """


class UnknownReceipt(LookupError):
    """No event of the log has that receipt. The client's fault."""
