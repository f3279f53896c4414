"""Functions that change labels; values stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.promql.calls import Call
from adapters.promql.labels import Labels, changed
from adapters.promql.regex import InvalidPattern, compiled
from adapters.promql.vectors import Vector
from application.reading.promql_errors import ExecutionFailed


def label_replace(call: Call) -> Vector:
    """Where a regular expression matches all of the source label, set the target label.

    Arguments: vector, target, replacement, source, expression. `$1` or `${name}` in the
    replacement stand for what a group matched. An empty result removes the label.
    """
    vector, target, replacement = call.vector(0), call.text(1), call.text(2)
    source, expression = call.text(3), call.text(4)
    try:
        pattern = compiled(expression)
    except InvalidPattern as error:
        raise ExecutionFailed(
            f"invalid regular expression in label_replace(): {expression}"
        ) from error
    _check_name(target, "destination label name in label_replace()")
    values = {
        value: pattern.expanded(value, replacement)
        for value in {labels.get(source, "") for labels in vector.labels}
    }
    changes = (values[labels.get(source, "")] for labels in vector.labels)
    return _relabelled(
        vector,
        [
            labels if value is None else changed(labels, {target: value})
            for labels, value in zip(vector.labels, changes, strict=True)
        ],
    )


def label_join(call: Call) -> Vector:
    """Set the target label to the values of the source labels, joined by a separator.

    Arguments: vector, target, separator, and any number of sources.
    """
    vector, target, separator = call.vector(0), call.text(1), call.text(2)
    sources = [call.text(place) for place in range(3, len(call))]
    for source in sources:
        _check_name(source, "source label name in label_join()")
    _check_name(target, "destination label name in label_join()")
    return _relabelled(
        vector,
        [
            changed(labels, {target: separator.join(labels.get(one, "") for one in sources)})
            for labels in vector.labels
        ],
    )


def _check_name(name: str, what: str) -> None:
    if not name:
        raise ExecutionFailed(f"invalid {what}: {name}")


def _relabelled(vector: Vector, labels: Sequence[Labels]) -> Vector:
    return Vector(labels, vector.values, vector.present).merged()
