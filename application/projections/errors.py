"""What can go wrong between the projections and their stores."""

from __future__ import annotations


class ProjectionError(Exception):
    """A projection cannot be written or read now. The service's fault, never the client's."""


class StoreUnavailable(ProjectionError):
    """The store does not answer, or another process is at it. Nothing was committed; try later."""


class StoreFull(ProjectionError):
    """The store has no room. Nothing was committed; it goes on where there is room again."""


class RowsRefused(ProjectionError):
    """The store cannot take these rows, now or later. Nothing was committed."""


class ProjectionBusy(ProjectionError):
    """Another process writes this generation, or rebuilds this projection."""


class ProjectionDiverged(ProjectionError):
    """The log is not the one that the projection was made from; only a rebuild helps."""


class ProjectionMissing(ProjectionError):
    """There is no such projection, or no copy of that name, or it was not built yet."""


class TooManyQueries(ProjectionError):
    """As many queries as are allowed at once are running."""


class QueryTooLarge(ProjectionError):
    """The query took more time or memory than one may."""


class NotReadableYet(ProjectionError):
    """A batch cannot be read yet; it will be."""


class UnknownMetric(LookupError):
    """The owner never published under that name."""
