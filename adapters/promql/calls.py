"""Calls of functions, as the functions see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from adapters.promql.notes import Notes
from adapters.promql.syntax.tree import Expression
from adapters.promql.vectors import Floats, SampleRows, Steps, Value, Vector
from application.reading.query_budget import QueryBudget


class Call(Struct, frozen=True):
    """A function's arguments, evaluated at all steps, and as they were written."""

    arguments: Sequence[Value]
    written: Sequence[Expression]
    steps: Steps
    budget: QueryBudget
    notes: Notes

    def __len__(self) -> int:
        return len(self.arguments)

    def vector(self, place: int) -> Vector:
        argument = self.arguments[place]
        if not isinstance(argument, Vector):
            raise TypeError(f"argument {place} is no vector")
        return argument

    def scalar(self, place: int) -> Floats:
        """Return a scalar's value at each step."""
        argument = self.arguments[place]
        if not isinstance(argument, np.ndarray):
            raise TypeError(f"argument {place} is no scalar")
        return argument

    def rows(self, place: int) -> SampleRows:
        argument = self.arguments[place]
        if not isinstance(argument, SampleRows):
            raise TypeError(f"argument {place} is no range vector")
        return argument

    def text(self, place: int) -> str:
        argument = self.arguments[place]
        if not isinstance(argument, str):
            raise TypeError(f"argument {place} is no string")
        return argument


Function = Callable[[Call], Value]
