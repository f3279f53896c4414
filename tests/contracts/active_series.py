"""The contract of ActiveSeries, for every adapter."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from hashlib import sha256

from application.publishing.active_series import DIGEST_SIZE, ActiveSeries, Admitted

DAY = 86_400.0


def digests(numbers: Iterable[int]) -> list[bytes]:
    return [sha256(b"%d" % number).digest()[:DIGEST_SIZE] for number in numbers]


def admit(
    active: ActiveSeries,
    numbers: Iterable[int],
    limit: int = 10,
    *,
    whole: bool = False,
    organization: str = "gilt",
) -> Admitted:
    return asyncio.run(active.admit(organization, digests(numbers), limit, whole=whole))


class ActiveSeriesContract(ABC):
    """Subclass it as `Test…` and implement how counts are opened, and how days pass."""

    @abstractmethod
    def open_counts(self) -> AbstractContextManager[tuple[ActiveSeries, Callable[[], None]]]:
        """Open empty counts, with a function that lets a day pass."""

    def test_new_series_are_admitted_in_order_while_there_is_room(self) -> None:
        with self.open_counts() as (active, _):
            assert active.count("gilt") == 0
            first = admit(active, range(6))
            assert (list(first.refused), first.active) == ([], 6)
            assert 0 < first.noted_for <= DAY
            second = admit(active, [*range(20, 24), 0, *range(30, 33)])
            assert (list(second.refused), second.active) == ([5, 6, 7], 10)
            assert active.count("gilt") == 10

    def test_active_series_are_admitted_at_the_limit_and_above_it(self) -> None:
        with self.open_counts() as (active, _):
            admit(active, range(10))
            for limit in (10, 3):
                again = admit(active, [10, *range(10)], limit)
                assert (list(again.refused), again.active) == ([0], 10)
                assert not admit(active, range(10), limit, whole=True).refused

    def test_as_a_whole_all_are_admitted_or_none_is_noted(self) -> None:
        with self.open_counts() as (active, pass_a_day):
            admit(active, range(6), whole=True)
            pass_a_day()
            refused = admit(active, range(3, 13), whole=True)
            assert (list(refused.refused), refused.active) == ([7, 8, 9], 6)
            assert refused.noted_for == 0
            assert active.count("gilt") == 6
            assert not admit(active, range(4, 10), whole=True).refused
            pass_a_day()
            assert active.count("gilt") == 6, "what was refused did not make 3 active"

    def test_a_series_is_active_until_the_end_of_the_day_after_its_last_points(self) -> None:
        with self.open_counts() as (active, pass_a_day):
            admit(active, range(10))
            pass_a_day()
            assert active.count("gilt") == 10
            assert list(admit(active, [0, 1, 10]).refused) == [2]
            pass_a_day()
            assert active.count("gilt") == 2
            assert not admit(active, [0, *range(20, 28)]).refused
            pass_a_day()
            pass_a_day()
            assert active.count("gilt") == 0

    def test_there_may_be_room_at_the_end_of_the_day_or_of_the_next(self) -> None:
        with self.open_counts() as (active, pass_a_day):
            admit(active, range(10))
            assert DAY < admit(active, [10]).wait <= 2 * DAY
            pass_a_day()
            assert 0 < admit(active, [10]).wait <= DAY
            assert 0 < admit(active, [10, *range(9)]).wait <= DAY
            assert DAY < admit(active, [10, 9]).wait <= 2 * DAY

    def test_organizations_are_counted_separately(self) -> None:
        with self.open_counts() as (active, _):
            admit(active, range(10))
            assert not admit(active, range(10, 20), organization="gilt2").refused
            assert (active.count("gilt"), active.count("gilt2")) == (10, 10)

    def test_a_batch_may_have_many_series(self) -> None:
        with self.open_counts() as (active, pass_a_day):
            many = 20_000
            assert len(admit(active, range(many), many - 1).refused) == 1
            pass_a_day()
            assert list(admit(active, range(many), many - 1).refused) == [many - 1]
            assert active.count("gilt") == many - 1

    def test_of_askers_that_race_none_gets_what_another_got(self) -> None:
        async def race(active: ActiveSeries) -> int:
            asked = [active.admit("gilt", digests([n, n + 1]), 20, whole=False) for n in range(60)]
            return sum(2 - len(each.refused) for each in await asyncio.gather(*asked))

        with self.open_counts() as (active, _):
            assert asyncio.run(race(active)) >= 20
            assert active.count("gilt") == 20
