"""Coded columns behave like the sequences they encode."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.columns import CodedColumn, coded
from domain.metric_point import PointBatch, tag_set

texts = st.lists(st.text(max_size=2))


@given(texts, st.slices(20))
def test_it_is_equal_to_the_list_it_stands_for(values: list[str], part: slice) -> None:
    column = coded(values)
    assert column == values
    assert list(column) == values
    assert len(column) == len(values)
    assert [column[i] for i in range(len(values))] == values
    assert column[part] == values[part]
    assert list(column.table) == list(dict.fromkeys(values))
    assert coded(column) is column
    assert column != [*values, "more"]


@pytest.mark.parametrize("codes", [[2], [0, 1, 2], [255]])
def test_a_code_outside_the_table_is_refused(codes: list[int]) -> None:
    with pytest.raises(ValueError, match="table of 2"):
        CodedColumn.checked(["a", "b"], array("B", codes))


def test_batches_of_the_same_points_are_equal_whatever_types_their_columns_have() -> None:
    tags = tag_set({"host": "a"})
    assert tags is not None
    plain = PointBatch(["a", "b"], [1, 2], [1.0, 2.0], [tags, tags])
    packed = PointBatch(
        coded(["a", "b"]), array("q", [1, 2]), array("d", [1.0, 2.0]), coded([tags, tags])
    )
    assert plain == packed
    assert hash(plain) == hash(packed)
    assert plain != PointBatch(["a", "b"], [1, 3], [1.0, 2.0], [tags, tags])
    assert list(plain.points()) == list(packed.points())
