"""Columns of few distinct values."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class CodedColumn(Sequence[T], Generic[T]):
    """A column as a table of values and, a row, the index of its value in the table.

    A sequence like any other; what handles whole columns can use `table` and `codes` (unsigned
    integers, one a row, each below the length of the table) and never touch a single row. A value
    may be in the table twice. Whoever has the codes from elsewhere calls `checked`.
    """

    __slots__ = ("codes", "table")

    def __init__(self, table: Sequence[T], codes: array[int]) -> None:
        self.table = table
        self.codes = codes

    @classmethod
    def checked(cls, table: Sequence[T], codes: array[int]) -> CodedColumn[T]:
        """Make a column of what is read. Raises ValueError for a code outside the table."""
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
    """Return a column as a coded one: its distinct values in order of first appearance."""
    if isinstance(column, CodedColumn):
        return column
    if len(column) == 1:  # the batches of one point are many
        return CodedColumn(column, array("B", b"\0"))
    table = list(dict.fromkeys(column))
    numbers = dict(zip(table, range(len(table)), strict=True))
    # An array takes a list in half the time of an iterator.
    return CodedColumn(table, array(code_type(len(table)), [*map(numbers.__getitem__, column)]))


def code_type(entries: int) -> str:
    """Return the array type of indices into a table: 8, 16 or 32 bits, as its length allows."""
    return "B" if entries <= 1 << 8 else "H" if entries <= 1 << 16 else "I"
