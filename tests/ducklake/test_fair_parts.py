"""How the shares of a generation are divided among its writers."""

from __future__ import annotations

import random

import pytest

from adapters.ducklake.lease.shares import expired_seats, fair_part, share_holders, share_name
from adapters.ducklake.lease.table import Holder

GENERATION = "series-1"
SHARES = 8


class Table:
    """The table of leases, without a clock."""

    def __init__(self) -> None:
        self.holders: dict[str, Holder] = {"series-10:share:0": Holder("stranger", 1.0)}

    def sit(self, owner: str, seconds: float = 1.0) -> None:
        self.holders[f"{GENERATION}:seat:{owner}"] = Holder(owner, seconds)

    def leave(self, owner: str) -> None:
        self.holders = {n: h for n, h in self.holders.items() if h.owner != owner}

    def part(self, owner: str) -> int:
        return fair_part(GENERATION, self.holders, SHARES, owner)

    def held(self, owner: str) -> list[int]:
        return [s for s, o in share_holders(GENERATION, self.holders).items() if o == owner]

    def balance(self, owner: str) -> bool:
        """Do what a writer does; return whether anything changed."""
        held, part = self.held(owner), self.part(owner)
        for share in held[part:]:
            del self.holders[share_name(GENERATION, share)]
        free = set(range(SHARES)) - share_holders(GENERATION, self.holders).keys()
        taken = sorted(free)[: max(0, part - len(held))]
        for share in taken:
            self.holders[share_name(GENERATION, share)] = Holder(owner, 1.0)
        return bool(held[part:] or taken)


@pytest.mark.parametrize("seed", range(20))
def test_parts_become_even_and_then_stay_whoever_comes_and_goes(seed: int) -> None:
    rng = random.Random(seed)
    table, owners = Table(), ["a"]
    table.sit("a")
    for _ in range(10):
        if len(owners) < SHARES and (len(owners) == 1 or rng.random() < 0.5):
            owners.append(rng.choice("bcdefghij") + str(rng.random()))
            table.sit(owners[-1])
        else:
            table.leave(owners.pop(rng.randrange(len(owners))))
        for _ in range(3 * len(owners)):
            for owner in rng.sample(owners, len(owners)):
                table.balance(owner)
        sizes = [len(table.held(owner)) for owner in owners]
        assert sum(sizes) == SHARES
        assert max(sizes) - min(sizes) <= 1
        assert not sum(table.balance(owner) for owner in owners)


def test_there_is_no_part_for_more_writers_than_shares() -> None:
    table = Table()
    for number in range(SHARES):
        table.sit(str(number))
        table.balance(str(number))
    for _ in range(SHARES):
        for number in range(SHARES):
            table.balance(str(number))
    assert [table.part(str(number)) for number in range(SHARES)] == [1] * SHARES
    assert table.part("0 more") == 0


def test_what_has_expired_counts_for_nothing() -> None:
    table = Table()
    table.sit("a")
    table.sit("b", seconds=0.0)
    table.holders[share_name(GENERATION, 3)] = Holder("b", -1.0)
    assert table.part("a") == SHARES
    assert table.held("b") == []
    assert expired_seats(GENERATION, table.holders) == ["b"]
