"""What errors tell a person."""

from __future__ import annotations

import inspect

import pytest

from domain import errors
from domain.errors import MAX_FAULTS, DomainError, Fault, InvalidMetrics


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 field breaks its rule"),
        (2, "2 fields break their rules"),
        (MAX_FAULTS - 1, f"{MAX_FAULTS - 1} fields break their rules"),
        (MAX_FAULTS, f"{MAX_FAULTS} fields or more break their rules"),
    ],
)
def test_invalid_metrics_says_how_many_fields_and_that_nothing_was_stored(
    count: int, words: str
) -> None:
    faults = tuple(Fault(i, f"/metrics/{i}/value", "must be a number") for i in range(count))
    error = InvalidMetrics(faults)
    assert str(error) == f"{words}; nothing of the batch was stored"
    assert error.faults == faults


def test_the_first_hundred_faults_are_told() -> None:
    assert MAX_FAULTS == 100


def test_every_refusal_is_a_domain_error_with_a_docstring() -> None:
    refusals = [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, Exception)
    ]
    assert len(refusals) > 10
    for refusal in refusals:
        assert issubclass(refusal, DomainError)
        assert inspect.getdoc(refusal)
