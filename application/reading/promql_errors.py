"""What can be wrong with a PromQL query, by the error types of Prometheus' HTTP API."""

from __future__ import annotations

from typing import ClassVar


class PromqlError(Exception):
    """A query has no answer; the text is for the one who asked."""

    error_type: ClassVar[str]


class BadData(PromqlError):
    """The expression or a parameter is invalid."""

    error_type = "bad_data"


class ExecutionFailed(PromqlError):
    """The expression is valid, but not on these series, or it takes more than it may."""

    error_type = "execution"


class QueryTimedOut(PromqlError):
    """The query took too long."""

    error_type = "timeout"
