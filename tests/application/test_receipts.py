"""Receipts: formatted, parsed, and converted to positions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.event_log.receipts import SEQUENCE_BITS, Receipt
from tests.domain.samples import quick

receipts = st.builds(
    Receipt,
    st.integers(0, 99_999),
    st.integers(0, 10**13 - 1),
    st.integers(0, (1 << SEQUENCE_BITS) - 1),
)


@quick
@given(receipts)
def test_a_receipt_is_read_back_from_its_text_and_from_its_position(receipt: Receipt) -> None:
    assert Receipt.parse(str(receipt)) == receipt
    assert Receipt.at(receipt.partition, receipt.position) == receipt


@quick
@given(receipts, receipts)
def test_within_a_partition_receipts_and_positions_have_the_same_order(
    one: Receipt, other: Receipt
) -> None:
    other = Receipt(one.partition, other.milliseconds, other.sequence)
    assert (one < other) == (one.position < other.position)
    assert (one == other) == (one.position == other.position)


def test_a_receipt_is_formatted_as_partition_milliseconds_and_sequence() -> None:
    receipt = Receipt(7, 1398788625123, 4)
    assert str(receipt) == "7-1398788625123-4"
    assert receipt.position == 1398788625123 * 2**20 + 4


def test_receipts_are_in_order_by_partition_then_clock_then_sequence() -> None:
    ordered = [Receipt(0, 9, 9), Receipt(1, 0, 5), Receipt(1, 1, 0), Receipt(1, 1, 1)]
    assert sorted([ordered[2], ordered[3], ordered[0], ordered[1]]) == ordered


@pytest.mark.parametrize("text", ["0-0-0", f"99999-9999999999999-{2**20 - 1}"])
def test_the_least_and_the_greatest_receipt_are_receipts(text: str) -> None:
    assert str(Receipt.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "-", "--", "1", "1-2", "1-2-", "-2-3", "1--3", "1-2-3-4", "a-2-3", "1-2-3\n", " 1-2-3",
     "1-2-3 ", "+1-2-3", "-1-2-3", "1.0-2-3", "1-2-٣", "1_0-2-3", "100000-2-3",
     "1-10000000000000-3", f"1-2-{2**20}", "1-2-9999999", "1-2-10000000", "*", "1" * 10_000],
)  # fmt: skip
def test_any_other_text_is_not_a_receipt(text: str) -> None:
    with pytest.raises(ValueError, match="is not a receipt"):
        Receipt.parse(text)
