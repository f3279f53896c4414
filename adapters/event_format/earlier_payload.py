"""The payload of the topics `metrics.published.v1` and `v2`: plain columns, written no more."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from domain.columns import CodedColumn, code_type
from domain.metric_point import PointBatch, TagSet, batch_fault

EarlierPayload = tuple[list[str], list[msgspec.Raw], bytes, bytes, bytes, bytes]
"""Names, tag sets, the codes of both per point, times and values."""


def earlier_batch(
    payload: EarlierPayload, tag_sets: Sequence[TagSet], count: int, *, finite: bool
) -> PointBatch:
    """Return the points, whose values are all finite if so said. Raises ValueError."""
    names, tag_maps, name_codes, tag_codes, timestamps, values = payload
    batch = PointBatch(
        CodedColumn.checked(names, _array(code_type(len(names)), name_codes)),
        _array("q", timestamps),
        _array("d", values),
        CodedColumn.checked(tag_sets, _array(code_type(len(tag_maps)), tag_codes)),
        known_finite=finite,
    )
    columns = (batch.names, batch.timestamps, batch.values, batch.tag_sets)
    if {*map(len, columns)} != {count}:
        raise ValueError(f"a column does not have {count} values")
    if fault := batch_fault(batch, finite=finite):
        raise ValueError(fault)
    return batch


def _array(type_code: str, data: bytes) -> array[Any]:
    column: array[Any] = array(type_code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
