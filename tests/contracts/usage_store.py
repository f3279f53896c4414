"""The contract of UsageStore, for every adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from application.publishing.refusals import Reason
from application.usage.ports import MINUTES, MinuteUsage, PointUsage, UsageStore

MINUTE = 29_890_079
"""The last minute of an hour."""

REFUSED = {("influx", Reason.VALUE): 2, ("json", Reason.TIME): 1}


class UsageStoreContract(ABC):
    """Subclass it as `Test…` and implement how a store is opened."""

    @abstractmethod
    def open_usage(self) -> AbstractContextManager[UsageStore]:
        """Open an empty store, and close it at the end."""

    def test_points_are_added_by_organization_and_minute(self) -> None:
        with self.open_usage() as usage:
            usage.add_points(MINUTE, {"gilt": PointUsage(3, REFUSED), "other": PointUsage(5)})
            usage.add_points(MINUTE + 1, {"gilt": PointUsage(10)})
            usage.add_points(
                MINUTE,
                {"gilt": PointUsage(4, {("influx", Reason.VALUE): 5}), "third": PointUsage()},
            )
            assert usage.points("gilt", MINUTE + 1) == [
                MinuteUsage(MINUTE, PointUsage(7, {**REFUSED, ("influx", Reason.VALUE): 7})),
                MinuteUsage(MINUTE + 1, PointUsage(10)),
            ]
            assert usage.points("other", MINUTE) == [MinuteUsage(MINUTE, PointUsage(5))]
            assert usage.points("third", MINUTE) == []

    def test_points_are_those_of_the_minute_and_the_hour_before_it(self) -> None:
        with self.open_usage() as usage:
            for minute in range(MINUTE - MINUTES - 2, MINUTE + 3):
                usage.add_points(minute, {"gilt": PointUsage(minute - MINUTE + 1000)})
            found = usage.points("gilt", MINUTE)
        assert [each.minute for each in found] == list(range(MINUTE - MINUTES, MINUTE + 1))
        assert all(each.points.accepted == each.minute - MINUTE + 1000 for each in found)

    def test_a_minute_with_refused_points_alone_is_one_with_points(self) -> None:
        with self.open_usage() as usage:
            usage.add_points(MINUTE, {"gilt": PointUsage(0, REFUSED)})
            assert usage.points("gilt", MINUTE) == [MinuteUsage(MINUTE, PointUsage(0, REFUSED))]

    def test_the_latest_use_of_a_token_is_kept(self) -> None:
        with self.open_usage() as usage:
            usage.set_token_uses({("gilt", "t1"): 1_793_491_200_123, ("other", "t2"): 5})
            usage.set_token_uses({("gilt", "t1"): 1_793_491_200_122, ("gilt", "t3"): 7})
            assert usage.token_uses("gilt") == {"t1": 1_793_491_200_123, "t3": 7}
            assert usage.token_uses("other") == {"t2": 5}
            assert usage.token_uses("third") == {}

    def test_uses_of_tokens_can_be_forgotten(self) -> None:
        with self.open_usage() as usage:
            usage.set_token_uses({("gilt", "t1"): 1, ("gilt", "t2"): 2, ("other", "t1"): 3})
            usage.forget_tokens("gilt", [])
            usage.forget_tokens("gilt", ["t1", "unknown"])
            usage.forget_tokens("unknown", ["t1"])
            assert usage.token_uses("gilt") == {"t2": 2}
            assert usage.token_uses("other") == {"t1": 3}

    def test_an_organization_can_be_forgotten(self) -> None:
        with self.open_usage() as usage:
            now = self.current_minute(usage)
            usage.set_token_uses({("gilt", "t1"): 1, ("other", "t2"): 2})
            for minute in (now, now - MINUTES):
                usage.add_points(minute, {"gilt": PointUsage(1, REFUSED), "other": PointUsage(1)})
            for _ in range(2):
                usage.forget("gilt")
                assert (usage.points("gilt", now), usage.token_uses("gilt")) == ([], {})
            assert [each.minute for each in usage.points("other", now)] == [now - MINUTES, now]
            assert usage.token_uses("other") == {"t2": 2}

    @abstractmethod
    def current_minute(self, usage: UsageStore) -> int:
        """Return the minute that it is for the store."""
