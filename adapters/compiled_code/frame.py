"""How a compiled function gets its arguments: through an array of 64-bit integers, the frame.

A frame has the function's results, then the length of the bytes, then the integers of the call, and
then what is the same for all calls: per array its address and its length, per number its value.
The types are those of the function's annotations. Its first parameter is the bytes, an array of
`uint8`. Then follow the integers of a call, and then arrays of one dimension, unsigned 64-bit
numbers, and named tuples of them. It returns a tuple of integers.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from inspect import get_annotations
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np


class Parameter(NamedTuple):
    """One that is the same for all calls: `kind` is a dtype's name, or a named tuple's class."""

    kind: str | type[Any]
    is_array: bool = False
    fields: tuple[Parameter, ...] = ()


class Layout(NamedTuple):
    """The numbers of results and of a call's integers, and the other parameters."""

    results: int
    numbers: int
    fixed: tuple[Parameter, ...]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Layout:
        """Return the layout of a function's frame, from its annotations."""
        hints = get_annotations(function, eval_str=True)
        results = len(get_args(hints.pop("return")))
        kinds = list(hints.values())[1:]
        numbers = [kind for kind in kinds if kind is int]
        if kinds[: len(numbers)] != numbers:
            raise TypeError("integers come before arrays")
        return cls(results, len(numbers), tuple(map(_parameter, kinds[len(numbers) :])))

    def frame(self, fixed: Sequence[Any]) -> array[int]:
        """Return a frame with the fixed arguments, which have to be kept as long as the frame."""
        start = array("q", bytes(8 * (self.results + 1 + self.numbers)))
        for parameter, argument in zip(self.fixed, fixed, strict=True):
            start.extend(_slots(parameter, argument))
        return start


def _parameter(kind: Any) -> Parameter:
    if hasattr(kind, "_fields"):
        fields = get_type_hints(kind)
        return Parameter(kind, fields=tuple(_parameter(fields[name]) for name in kind._fields))
    if get_origin(kind) is np.ndarray:
        [number] = get_args(get_args(kind)[1])
        return Parameter(np.dtype(number).name, is_array=True)
    if kind is np.uint64:
        return Parameter("uint64")
    raise TypeError(f"{kind} is no type of a compiled function's argument")


def _slots(parameter: Parameter, argument: Any) -> Sequence[int]:
    if parameter.fields:
        slots = [
            _slots(field, each) for field, each in zip(parameter.fields, argument, strict=True)
        ]
        return [slot for each in slots for slot in each]
    if not parameter.is_array:
        return [int(np.uint64(argument).astype(np.int64))]
    if argument.dtype.name != parameter.kind or not argument.flags.c_contiguous:
        raise TypeError(f"the array is {argument.dtype}, not contiguous {parameter.kind}")
    return [argument.ctypes.data, argument.size]
