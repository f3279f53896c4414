"""The port of PromQL: expressions in, vectors, matrices, scalars and strings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.reading.annotations import Annotations
from application.reading.query_budget import QueryBudget
from application.reading.series import Matcher, MatchOperator, Owner

LOOK_BACK = 5 * 60 * 1000
"""A sample counts for so long (ms), unless another one or a stale marker follows."""


class InstantSample(Struct, frozen=True):
    """A series' value at the time of an instant query."""

    labels: Mapping[str, str]
    value: float


class InstantVector(Struct, frozen=True):
    """Series' values at one time, in ms since the epoch; a sort in the expression is kept."""

    time: int
    samples: Sequence[InstantSample]


class MatrixSeries(Struct, frozen=True):
    """A series of a matrix: `times` (int64, ms since the epoch, ascending), `values` (float64)."""

    labels: Mapping[str, str]
    times: memoryview
    values: memoryview


class Matrix(Struct, frozen=True):
    """Series with values at several times, sorted by labels; none is empty."""

    series: Sequence[MatrixSeries]


class Scalar(Struct, frozen=True):
    """A number without labels, at a time in ms since the epoch."""

    time: int
    value: float


class String(Struct, frozen=True):
    """A text, at a time in ms since the epoch."""

    time: int
    value: str


InstantResult = InstantVector | Matrix | Scalar | String


class Promql(Protocol):
    """Evaluates PromQL. Thread-safe; calls block.

    Times are in ms since the epoch. Evaluation raises BadData, ExecutionFailed and QueryTimedOut,
    and what a SeriesSource raises.
    """

    def instant(
        self,
        owner: Owner,
        expression: str,
        time: int,
        budget: QueryBudget,
        *,
        look_back: int = LOOK_BACK,
        annotations: Annotations | None = None,
    ) -> InstantResult:
        """Evaluate an expression at one time, and add to the annotations."""

    def range(
        self,
        owner: Owner,
        expression: str,
        start: int,
        end: int,
        step: int,
        budget: QueryBudget,
        *,
        look_back: int = LOOK_BACK,
        annotations: Annotations | None = None,
    ) -> Matrix:
        """Evaluate an expression at `start` and every `step` ms after it up to `end`."""

    def selector(self, text: str) -> Sequence[Matcher]:
        """Return the matchers of an instant selector such as `up{job="a"}`. Raises BadData."""

    def matcher(self, name: str, operator: MatchOperator, value: str) -> Matcher:
        """Return a matcher of one label. Raises BadData for an invalid regular expression."""

    def formatted(self, expression: str) -> str:
        """Return the expression in the usual layout. Raises BadData."""
