"""Reasons for refusing a command, one class per rule of the domain. They know nothing of HTTP."""

from __future__ import annotations

from msgspec import Struct


class DomainError(Exception):
    """A command was refused and nothing changed. The message is written for the client."""


class Fault(Struct, frozen=True):
    """One invalid field.

    `index` is the item's index in the batch, from 0 (None for the batch itself), `pointer` the
    JSON pointer (RFC 6901) from the body's root; `detail` says what is wrong and what is allowed.
    """

    index: int | None
    pointer: str
    detail: str


MAX_FAULTS = 100


class InvalidMetrics(DomainError):
    """At least one field of a batch is invalid; `faults` lists the first `MAX_FAULTS`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        match len(faults):
            case 1:
                fields = "1 field is invalid"
            case count if count < MAX_FAULTS:
                fields = f"{count} fields are invalid"
            case _:
                fields = f"{MAX_FAULTS} or more fields are invalid"
        super().__init__(f"{fields}; no point of the batch was stored")


class InvalidArgument(DomainError):
    """A field of a command (a name, address, scope or duration) is invalid; `field` names it."""

    def __init__(self, words: str, field: str) -> None:
        super().__init__(words)
        self.field = field


class Forbidden(DomainError):
    """The token is unknown, revoked, expired, another owner's, or lacks the scope."""


class UnknownOrganization(DomainError):
    """There is no organization with that name."""


class UnknownTeam(DomainError):
    """The organization has no team with that name."""


class UnknownToken(DomainError):
    """The owner has no token with that id."""


class OrganizationExists(DomainError):
    """There already is an organization with that name."""


class TeamExists(DomainError):
    """The organization already has a team with that name."""


class TooManyTokens(DomainError):
    """The owner already has the maximum number of active tokens with that scope set."""


class LastToken(DomainError):
    """The token is the owner's last active one, which only an operator may revoke."""


class IdempotencyConflict(DomainError):
    """The idempotency key was used with another body within the last 24 hours."""

    @classmethod
    def of(cls, key: str) -> IdempotencyConflict:
        return cls(f"the idempotency key {key!r} was used with another body in the last 24 hours")


class SeriesLimitExceeded(DomainError):
    """The organization has no room for new series; `retry_after` is in whole seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class QuotaExceeded(DomainError):
    """The organization is over its own quota; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)
