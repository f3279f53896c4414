"""Comparing the evaluator's answers with Prometheus' on the same samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum

import numpy as np
from msgspec import Struct

from adapters.memory.series_source import MemorySeriesSource
from adapters.promql import PromqlEngine
from application.reading.promql import InstantResult, InstantVector, Matrix, Scalar, String
from application.reading.promql_errors import PromqlError
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Owner
from tests.promql.prometheus import Prometheus, QueryRefused
from tests.promql.samples import DURATION, MINUTE, START, SampleSeries

OWNER = Owner("tests")
TOLERANCE = 1e-9
"""Relative to the larger value."""

SHIFT = 3_000
"""Keeps the edges of ranges off the samples, and off the steps of subqueries."""

RANGE = (START + 30 * MINUTE + SHIFT, START + DURATION - 30 * MINUTE + SHIFT, MINUTE)
INSTANTS = (START + 47 * MINUTE + SHIFT, START + 100 * MINUTE + SHIFT)
ORDERED = ("sort(", "sort_desc(", "topk(", "bottomk(")
"""Expressions that begin so have an order in an instant query."""

LIMITS = QueryLimits(seconds=300, memory=2 << 30)

Flat = Mapping[tuple[tuple[str, str], ...], Mapping[int, float]]


class Verdict(Enum):
    """How two answers compare."""

    EQUAL = "equal"
    EMPTY = "both empty"
    REFUSED = "both refused"
    NEWER = "refused by one, for a rule of version 3"
    DIFFERENT = "different"


class Comparison(Struct, frozen=True):
    """An expression's verdict; `details` say what differs, or why both refused."""

    expression: str
    verdict: Verdict
    details: str = ""


class Comparer:
    """Asks the evaluator and Prometheus, which must have the same samples."""

    def __init__(self, prometheus: Prometheus, series: Iterable[SampleSeries]) -> None:
        source = MemorySeriesSource()
        for one in series:
            source.add(OWNER, one.labels, zip(one.times, one.values, strict=True))
        self._engine = PromqlEngine(source)
        self._prometheus = prometheus

    def compare(self, expression: str) -> Comparison:
        """Compare the answers to one range query and some instant queries."""
        verdicts = []
        for at in (None, *INSTANTS):
            verdict, details = self._compared(expression, at)
            if verdict is Verdict.DIFFERENT:
                return Comparison(expression, verdict, details)
            verdicts.append((verdict, details))
        for wanted in (Verdict.NEWER, Verdict.EQUAL, Verdict.REFUSED, Verdict.EMPTY):
            for verdict, details in verdicts:
                if verdict is wanted:
                    return Comparison(expression, verdict, details)
        raise AssertionError("there is always a verdict")

    def compare_text(self, expression: str) -> Comparison:
        """Compare the errors of parsing an expression, or its usual layout."""
        ours: str | PromqlError
        theirs: str | QueryRefused
        try:
            ours = self._engine.formatted(expression)
        except PromqlError as error:
            ours = error
        try:
            theirs = self._prometheus.formatted(expression)
        except QueryRefused as error:
            theirs = error
        if str(ours) == str(theirs):
            verdict = Verdict.REFUSED if isinstance(ours, PromqlError) else Verdict.EQUAL
            return Comparison(expression, verdict)
        verdict = Verdict.NEWER if _is_newer_text(str(theirs)) else Verdict.DIFFERENT
        return Comparison(expression, verdict, f"ours {ours}, theirs {theirs}")

    def _compared(self, expression: str, at: int | None) -> tuple[Verdict, str]:
        ours, theirs = self._ours(expression, at), self._theirs(expression, at)
        if isinstance(ours, PromqlError) or isinstance(theirs, QueryRefused):
            types = [getattr(answer, "error_type", None) for answer in (ours, theirs)]
            if types[0] == types[1] and _same_words(str(ours), str(theirs)):
                return Verdict.REFUSED, f"{ours} | {theirs}"
            if _is_newer(expression, ours, theirs):
                return Verdict.NEWER, ""
            return Verdict.DIFFERENT, f"at {at}: ours {_brief(ours)}, theirs {_brief(theirs)}"
        difference = next(differences(ours, theirs), None)
        if difference is None and expression.startswith(ORDERED):
            difference = _other_order(ours, theirs)
        if difference:
            return Verdict.DIFFERENT, f"at {at}: {difference}"
        empty = isinstance(ours, Matrix | InstantVector) and not flat(ours)
        return (Verdict.EMPTY if empty else Verdict.EQUAL), ""

    def _ours(self, expression: str, at: int | None) -> InstantResult | PromqlError:
        budget = QueryBudget(LIMITS)
        try:
            if at is None:
                return self._engine.range(OWNER, expression, *RANGE, budget)
            return self._engine.instant(OWNER, expression, at, budget)
        except PromqlError as error:
            return error

    def _theirs(self, expression: str, at: int | None) -> InstantResult | QueryRefused:
        try:
            if at is None:
                return self._prometheus.range(expression, *RANGE)
            return self._prometheus.instant(expression, at)
        except QueryRefused as error:
            return error


def differences(ours: InstantResult, theirs: InstantResult) -> Iterator[str]:
    """Yield what differs between two answers."""
    if type(ours) is not type(theirs):
        yield f"ours is a {type(ours).__name__}, theirs a {type(theirs).__name__}"
    elif isinstance(ours, String):
        if ours != theirs:
            yield f"ours {ours.value!r}, theirs differs"
    else:
        mine, other = flat(ours), flat(theirs)
        for labels in mine.keys() - other.keys():
            yield f"only ours: {dict(labels)}"
        for labels in other.keys() - mine.keys():
            yield f"only theirs: {dict(labels)}"
        for labels in sorted(mine.keys() & other.keys()):
            yield from _value_differences(labels, mine[labels], other[labels])


def _other_order(ours: InstantResult, theirs: InstantResult) -> str | None:
    """Return how the order of values differs; series with equal values may have any order."""
    if not (isinstance(ours, InstantVector) and isinstance(theirs, InstantVector)):
        return None
    mine, other = ([one.value for one in result.samples] for result in (ours, theirs))
    if all(close(one, another) for one, another in zip(mine, other, strict=True)):
        return None
    return f"ours in the order {mine[:10]}, theirs {other[:10]}"


def flat(result: InstantResult) -> Flat:
    """Return the values by labels and time."""
    if isinstance(result, InstantVector):
        return {
            tuple(sorted(one.labels.items())): {result.time: one.value} for one in result.samples
        }
    if isinstance(result, Matrix):
        return {
            tuple(sorted(one.labels.items())): dict(
                zip(one.times.tolist(), one.values.tolist(), strict=True)
            )
            for one in result.series
        }
    assert isinstance(result, Scalar)
    return {(): {result.time: result.value}}


def _value_differences(
    labels: Sequence[tuple[str, str]], mine: Mapping[int, float], other: Mapping[int, float]
) -> Iterator[str]:
    if mine.keys() != other.keys():
        only = sorted(mine.keys() ^ other.keys())
        yield f"{dict(labels)} has other times: {only[:3]}, {len(mine)} and {len(other)}"
        return
    for at, value in mine.items():
        if not close(value, other[at]):
            yield f"{dict(labels)} at {at}: ours {value!r}, theirs {other[at]!r}"


def close(one: float, other: float) -> bool:
    """Return whether two values are equal but for rounding."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return bool(np.isclose(one, other, rtol=TOLERANCE, atol=1e-12))


def _is_newer(expression: str, ours: object, theirs: object) -> bool:
    """Return whether only one refuses because of how version 3 treats equal labels.

    It refuses a comparison whose matches are not unique also if that drops them, and it accepts a
    negation of series that have equal labels at different times.
    """
    negation = "-(" in expression and "same labelset" in str(theirs)
    return negation or "multiple matches for labels" in str(ours)


def _is_newer_text(theirs: str) -> bool:
    """Return whether an error is one that version 3 words otherwise, or does not have.

    There, numbers and durations are the same, names may be in quotes, and brackets are read by
    other rules; `@` has no number instead of its name, and `.` matches line ends.
    """
    older = ("duration", "in subquery", "colon", "left bracket", "right bracket", "Item 5", "(?:")
    others = (
        "unexpected string",
        "trailing commas",
        "bad number",
        'unexpected number ".',
        "character: '.'",
    )
    newer = ("strconv.ParseFloat", "double_exponential_smoothing")
    return any(part in theirs for part in (*older, *others, *newer))


def _same_words(ours: str, theirs: str) -> bool:
    """Return whether two errors of a query are the same; only some of theirs name the parameter."""
    # Of several errors of matching, any may be the first one, and any duplicates may be named.
    matching = ("found duplicate series", "multiple matches for labels")
    if ours.startswith(matching) and theirs.startswith(matching):
        return True
    prefix = 'invalid parameter "query": '
    mine, other = ours.removeprefix(prefix), theirs.removeprefix(prefix)
    return mine == other or _is_newer_text(other) or "NaN overflows" in other


def _brief(answer: object) -> str:
    return f"{type(answer).__name__}: {answer}"[:300]
