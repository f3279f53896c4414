"""The contract of RefusedPoints, for every adapter."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from application.organizations.access import Grant
from application.publishing.refusals import Reason, Refusals, RefusedPoint
from application.publishing.refused_points import MAX_REFUSED, RefusedPoints

GILT = Grant("gilt", None, "t1")
WEB = Grant("gilt", "web", "t2")


def refusals(*details: str, points: int = 1) -> Refusals:
    found = Refusals()
    for number, detail in enumerate(details):
        found.add(f"line {number}", Reason.VALUE, detail, points)
    return found


class RefusedPointsContract(ABC):
    """Subclass it as `Test…` and implement how they are opened."""

    @abstractmethod
    def open_refused(self) -> AbstractContextManager[RefusedPoints]:
        """Open a place without refused points, and close it at the end."""

    def test_what_is_recorded_is_read_back_in_order(self) -> None:
        with self.open_refused() as refused:
            asyncio.run(refused.record(GILT, "influx", refusals("one", "été \ud800", points=3)))
            asyncio.run(refused.record(WEB, "otlp", refusals("three")))
            first, second, third = refused.last("gilt")
        assert first.point == RefusedPoint("line 0", Reason.VALUE, "one", 3)
        assert (first.team, first.token_id, first.protocol) == (None, "t1", "influx")
        assert second.point.detail.startswith("été ")
        assert (third.team, third.token_id, third.protocol) == ("web", "t2", "otlp")
        assert 0 < first.time <= second.time <= third.time

    def test_each_organization_has_its_own(self) -> None:
        with self.open_refused() as refused:
            asyncio.run(refused.record(GILT, "json", refusals("one")))
            assert list(refused.last("other")) == []

    def test_the_last_thousand_are_kept(self) -> None:
        with self.open_refused() as refused:
            asyncio.run(refused.record(GILT, "json", refusals("first", "second")))
            many = [str(number) for number in range(MAX_REFUSED - 1)]
            asyncio.run(refused.record(GILT, "json", refusals(*many)))
            kept = refused.last("gilt")
        assert [refusal.point.detail for refusal in kept] == ["second", *many]

    def test_they_can_be_forgotten(self) -> None:
        with self.open_refused() as refused:
            asyncio.run(refused.record(GILT, "json", refusals("one")))
            refused.forget("gilt")
            refused.forget("gilt")
            assert list(refused.last("gilt")) == []
