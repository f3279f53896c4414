"""Why a command is refused. Every class is a rule of the domain; none knows how it is answered."""

from __future__ import annotations

from msgspec import Struct


class DomainError(Exception):
    """A command was refused, nothing changed. The message is for the person who asked."""


class Fault(Struct, frozen=True):
    """One field that breaks its rule.

    `index` is the item's place in the batch (None for the batch itself), `pointer` the JSON
    pointer (RFC 6901) from the body's root, `detail` says what is wrong and what would be right.
    """

    index: int | None
    pointer: str
    detail: str


MAX_FAULTS = 100


class InvalidMetrics(DomainError):
    """At least one field of a batch breaks its rule; `faults` lists the first `MAX_FAULTS`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        match len(faults):
            case 1:
                fields = "1 field breaks its rule"
            case count if count < MAX_FAULTS:
                fields = f"{count} fields break their rules"
            case _:
                fields = f"{MAX_FAULTS} fields or more break their rules"
        super().__init__(f"{fields}; nothing of the batch was stored")


class InvalidArgument(DomainError):
    """A name, address, scope or duration in a command is invalid: that in its field `field`."""

    def __init__(self, words: str, field: str) -> None:
        super().__init__(words)
        self.field = field


class Forbidden(DomainError):
    """The token is unknown, revoked, expired, another owner's, or lacks the scope."""


class UnknownOrganization(DomainError):
    """There is no organization of that name."""


class UnknownTeam(DomainError):
    """The organization has no team of that name."""


class UnknownToken(DomainError):
    """The owner has no token of that id."""


class OrganizationExists(DomainError):
    """The name is taken."""


class TeamExists(DomainError):
    """The organization already has a team of that name."""


class TooManyTokens(DomainError):
    """The owner already has as many active tokens of that scope set as may overlap."""


class LastToken(DomainError):
    """The owner's last active token is kept unless its loss is asked for explicitly."""


class IdempotencyConflict(DomainError):
    """The idempotency key was used for another body within its window."""

    @classmethod
    def of(cls, key: str) -> IdempotencyConflict:
        return cls(f"the idempotency key {key!r} was used for another body within 24 hours")


class QuotaExceeded(DomainError):
    """The organization is over its own quota; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)
