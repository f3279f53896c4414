"""The messages of domain errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain import errors
from domain.errors import MAX_FAULTS, DomainError, Fault, InvalidArgument, InvalidMetrics
from domain.idempotency import check_idempotency_key
from domain.organization import create_team, issue_token, register
from tests.domain.samples import NOW, given, registered


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 field is invalid"),
        (2, "2 fields are invalid"),
        (MAX_FAULTS - 1, f"{MAX_FAULTS - 1} fields are invalid"),
        (MAX_FAULTS, f"{MAX_FAULTS} or more fields are invalid"),
    ],
)
def test_invalid_metrics_says_how_many_fields_and_that_nothing_was_stored(
    count: int, words: str
) -> None:
    faults = tuple(Fault(i, f"/metrics/{i}/value", "must be a number") for i in range(count))
    error = InvalidMetrics(faults)
    assert str(error) == f"{words}; no point of the batch was stored"
    assert error.faults == faults


def test_at_most_a_hundred_faults_are_reported() -> None:
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


GILT = given([registered()])


def issued(**arguments: Any) -> object:
    return issue_token(GILT, token_id="t1", digest="d", now=NOW, **arguments)


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        ("name", lambda: register(None, "a b", now=NOW)),
        ("email", lambda: register(None, "gilt", email="nobody", now=NOW)),
        ("notification_url", lambda: register(None, "gilt", notification_url="ftp://x", now=NOW)),
        ("name", lambda: create_team(GILT, "a b", NOW)),
        ("scopes", lambda: issued(scopes=())),
        ("scopes", lambda: issued(scopes=("write",))),
        ("description", lambda: issued(description="a\nb")),
        ("expires_in", lambda: issued(expires_at=NOW)),
        ("expires_in", lambda: issued(expires_at=NOW - timedelta(days=1))),
        ("key", lambda: check_idempotency_key("")),
    ],
)
def test_an_invalid_argument_names_its_field(field: str, refused: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        refused()
    assert refusal.value.field == field
