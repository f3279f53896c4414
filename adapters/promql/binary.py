"""Binary operators between scalars and vectors."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from adapters.promql.labels import Labels, changed, dropped, kept, text, without_name
from adapters.promql.matching import Matching, any_present, counts_present, first_two, pairs
from adapters.promql.operators import ARITHMETIC, COMPARISONS
from adapters.promql.syntax.tree import Binary
from adapters.promql.vectors import Bools, Floats, Vector
from application.reading.promql_errors import ExecutionFailed
from application.reading.query_budget import QueryBudget


class Modifier(Struct, frozen=True):
    """How an operator matches series, and what a comparison returns.

    `many` is the side that may have several series per match, None for one to one. `included` are
    labels taken from the other side.
    """

    matching: Matching = Matching()
    many: str | None = None
    included: tuple[str, ...] = ()
    as_bool: bool = False

    @classmethod
    def of(cls, node: Binary) -> Modifier:
        return cls(Matching(node.on, node.labels), node.many, node.included, node.as_bool)


def between_scalars(operator: str, left: Floats, right: Floats) -> Floats:
    """Return the results per step; a comparison gives 1 or 0."""
    if operator in ARITHMETIC:
        return ARITHMETIC[operator](left, right)
    return COMPARISONS[operator](left, right).astype(np.float64)


def with_scalar(
    operator: str, vector: Vector, scalar: Floats, *, scalar_left: bool, as_bool: bool
) -> Vector:
    """Combine each sample with the step's scalar.

    Comparisons keep the samples for which they hold, with their names and values; with `as_bool`
    they give 1 or 0, and drop the name like arithmetic.
    """
    operands = (scalar, vector.values) if scalar_left else (vector.values, scalar)
    if operator in ARITHMETIC:
        return vector.with_values(ARITHMETIC[operator](*operands)).without_names()
    holds = COMPARISONS[operator](*operands)
    if as_bool:
        return vector.with_values(holds.astype(np.float64)).without_names()
    return vector.with_values(vector.values, vector.present & holds).without_empty_rows()


def between_vectors(
    operator: str, left: Vector, right: Vector, modifier: Modifier, budget: QueryBudget
) -> Vector:
    """Combine the samples whose labels match, at each step.

    Raises ExecutionFailed if several series of a side match that must have one per match.
    """
    if not len(left) or not len(right):
        return Vector.empty(left.values.shape[1])
    swapped = modifier.many == "right"
    many, one = (right, left) if swapped else (left, right)
    of_many, of_one, number = modifier.matching.signatures(many, one)
    # At a step where a side is empty, nothing can match, so duplicates do not matter there.
    compared = one.with_values(one.values, one.present & many.present.any(axis=0))
    _check_one_side(compared, of_one, number, modifier)
    rows, partners = pairs(of_many, of_one)
    budget.check_memory(len(rows) * many.values.shape[1] * 30)
    present = many.present[rows] & one.present[partners]
    _check_many_side(present, of_many[rows], number, modifier)

    values, partner_values = many.values[rows], one.values[partners]
    operands = (partner_values, values) if swapped else (values, partner_values)
    matched = present
    if operator in ARITHMETIC:
        results = ARITHMETIC[operator](*operands)
    else:
        holds = COMPARISONS[operator](*operands)
        results = holds.astype(np.float64) if modifier.as_bool else operands[0]
        present = present if modifier.as_bool else present & holds
    drop_name = operator in ARITHMETIC or modifier.as_bool
    labels = [
        _result_labels(many.labels[row], one.labels[partner], modifier, drop_name=drop_name)
        for row, partner in zip(rows.tolist(), partners.tolist(), strict=True)
    ]
    if modifier.many is not None:
        _check_unique(Vector(labels, results, matched))
    return Vector(labels, results, present).without_empty_rows().merged()


def of_sets(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """Return the samples of the left that match any on the right (`and`), or none (`unless`);
    with `or`, all of the left and those of the right that match none there.
    """
    of_left, of_right, number = matching.signatures(left, right)
    if operator == "or":
        taken = any_present(left, of_left, number)[of_right]
        rest = right.with_values(right.values, right.present & ~taken).without_empty_rows()
        return Vector(
            [*left.labels, *rest.labels],
            np.concatenate((left.values, rest.values)),
            np.concatenate((left.present, rest.present)),
        ).merged()
    found = any_present(right, of_right, number)[of_left]
    present = left.present & (found if operator == "and" else ~found)
    return left.with_values(left.values, present).without_empty_rows()


def _check_one_side(
    one: Vector,
    signatures: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    number: int,
    modifier: Modifier,
) -> None:
    counts = counts_present(one.present, signatures, number)
    if (counts > 1).any():
        first, second = first_two(one.present, signatures, counts)
        side = "left" if modifier.many == "right" else "right"
        group = text(modifier.matching.matched(one.labels[first]))
        raise ExecutionFailed(
            f"found duplicate series for the match group {group} on the {side} hand-side of the "
            f"operation: [{text(one.labels[second])}, {text(one.labels[first])}]"
            ";many-to-many matching not allowed: matching labels must be unique on one side"
        )


def _check_many_side(
    present: Bools,
    signatures: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    number: int,
    modifier: Modifier,
) -> None:
    if modifier.many is None and (counts_present(present, signatures, number) > 1).any():
        raise ExecutionFailed(
            "multiple matches for labels: many-to-one matching must be explicit "
            "(group_left/group_right)"
        )


def _check_unique(vector: Vector) -> None:
    try:
        vector.merged()
    except ExecutionFailed as error:
        raise ExecutionFailed(
            "multiple matches for labels: grouping labels must ensure unique matches"
        ) from error


def _result_labels(many: Labels, one: Labels, modifier: Modifier, *, drop_name: bool) -> Labels:
    labels = without_name(many) if drop_name else many
    if modifier.many is None:
        matching = modifier.matching
        labels = (kept if matching.on else dropped)(labels, matching.names)
    if modifier.included:
        labels = changed(labels, {name: one.get(name, "") for name in modifier.included})
    return labels
