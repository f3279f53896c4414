"""Bodies of protocols without keys: one that is sent again within ten minutes is stored once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.http.publish.conftest import Publishing

WRITE = "/organizations/gilt/influx/write"
LINES = b"cpu value=1 1500000000"
MIXED = b"cpu value=1 1500000000\nbad"


def test_a_body_sent_again_is_answered_with_the_first_receipt(publishing: Publishing) -> None:
    first, again = (publishing.post(f"{WRITE}?precision=s", LINES) for _ in range(2))
    assert first.headers["cave-receipt"] == again.headers["cave-receipt"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(publishing.points()) == 1


def test_its_refused_points_are_kept_once(publishing: Publishing) -> None:
    answers = [publishing.post(f"{WRITE}?precision=s", MIXED) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {400}
    assert answers[0].content == answers[1].content
    assert len(publishing.refused()) == 1


@pytest.mark.parametrize(
    "path",
    [
        f"{WRITE}?precision=ms",
        "/organizations/gilt/teams/web/influx/write?precision=s",
        "/organizations/gilt/influx/api/v2/write?precision=s",
    ],
)
def test_where_the_body_means_something_else_it_is_another(
    publishing: Publishing, path: str
) -> None:
    publishing.post(f"{WRITE}?precision=s", LINES)
    assert "idempotent-replayed" not in publishing.post(path, LINES).headers
    assert len(publishing.points()) == 2


def test_how_the_token_is_sent_makes_no_difference(publishing: Publishing) -> None:
    publishing.post(f"{WRITE}?precision=s", LINES)
    again = publishing.post(f"{WRITE}?precision=s&u=any&p={publishing.token}", LINES, None)
    assert again.headers["idempotent-replayed"] == "true"


def test_after_ten_minutes_it_is_stored_again(publishing: Publishing) -> None:
    publishing.post(f"{WRITE}?precision=s", LINES)
    publishing.service.now += timedelta(minutes=10)
    assert "idempotent-replayed" not in publishing.post(f"{WRITE}?precision=s", LINES).headers
    assert len(publishing.points()) == 2


def test_a_body_with_a_point_that_has_the_time_of_receipt_is_not_remembered(
    publishing: Publishing,
) -> None:
    for _ in range(2):
        publishing.post(f"{WRITE}?precision=s", LINES + b"\ncpu value=2")
    assert len(publishing.points()) == 4


def test_a_key_is_remembered_instead_for_a_day(publishing: Publishing) -> None:
    for _ in range(2):
        publishing.post(f"{WRITE}?precision=s", LINES, idempotency_key="k")
        publishing.service.now += timedelta(hours=23)
    assert len(publishing.points()) == 1
