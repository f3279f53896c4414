"""Columns of few distinct values."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class CodedColumn(Sequence[T], Generic[T]):
    """A column stored as a table of values and, per row, an index into that table.

    It behaves like any sequence. Code that handles whole columns can use `table` and `codes`
    (unsigned integers, one per row, each below the length of the table) without touching single
    rows. A value may be in the table twice. Use `checked` for codes from an untrusted source.
    """

    __slots__ = ("codes", "table")

    def __init__(self, table: Sequence[T], codes: array[int]) -> None:
        self.table = table
        self.codes = codes

    @classmethod
    def checked(cls, table: Sequence[T], codes: array[int]) -> CodedColumn[T]:
        """Make a column, checking the codes. Raises ValueError for a code outside the table."""
        if codes and max(codes) >= len(table):
            raise ValueError(f"a code is outside its table of {len(table)}")
        return cls(table, codes)

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[T]:
        return map(self.table.__getitem__, self.codes)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> CodedColumn[T]: ...
    def __getitem__(self, index: int | slice) -> T | CodedColumn[T]:
        if isinstance(index, slice):
            return CodedColumn(self.table, self.codes[index])
        return self.table[self.codes[index]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"CodedColumn({list(self)!r})"


def coded(column: Sequence[T]) -> CodedColumn[T]:
    """Return the column as a CodedColumn, its distinct values in order of first appearance."""
    if isinstance(column, CodedColumn):
        return column
    if len(column) == 1:  # batches of one point are common
        return CodedColumn(column, array("B", b"\0"))
    table = list(dict.fromkeys(column))
    numbers = dict(zip(table, range(len(table)), strict=True))
    # Building an array from a list takes half the time of building it from an iterator.
    return CodedColumn(table, array(code_type(len(table)), [*map(numbers.__getitem__, column)]))


def code_type(entries: int) -> str:
    """Return the array type for indices into a table of this length: 8, 16 or 32 bits."""
    return "B" if entries <= 1 << 8 else "H" if entries <= 1 << 16 else "I"
