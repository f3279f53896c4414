"""Errors in writing, rebuilding and reading projections."""

from __future__ import annotations


class ProjectionError(Exception):
    """A projection cannot be written or read. The service's fault, unless a subclass says not."""


class StoreUnavailable(ProjectionError):
    """The store does not answer, or another process uses it. Nothing was committed; try later."""


class StoreFull(ProjectionError):
    """The store has no space left. Nothing was committed. The operator has to make room."""


class RowsRefused(ProjectionError):
    """The store can never store these rows. Nothing was committed.

    A defect: of the fold or the store, or of whatever wrote the events to the log.
    """


class ProjectionBusy(ProjectionError):
    """The request conflicts with another process, or with a generation that exists.

    Another process is writing the generation or rebuilding the projection, or the label or the
    place of the live generation is taken. Nobody's fault; the caller decides whether to try again.
    """


class ProjectionDiverged(ProjectionError):
    """The log is not the one that the projection was made from, as after a failover or a restore.

    Trying again does not help: the operator has to rebuild the projection.
    """


class ProjectionMissing(ProjectionError):
    """The projection or generation has not been built yet, or no longer exists.

    Also raised for a copy's label that does not exist, which is the caller's fault.
    """


class TooManyQueries(ProjectionError):
    """The limit of concurrent queries is reached: the service is overloaded. Try again."""


class QueryTooLarge(ProjectionError):
    """The query exceeds the limit of time or memory per query.

    The client may ask for less, or the operator may raise the limit.
    """


class NotReadableYet(ProjectionError):
    """The batch is in the log, but not in the projections yet. Nobody's fault; try again."""


class UnknownMetric(LookupError):
    """The owner never published a metric with that name. The client's fault."""
