"""Packs the values of a batch, with compiled code if that is loaded."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from adapters.compiled_code import Loader
from domain.columns import CodedColumn

PACK_FROM = 64
"""Minimum values that are packed. For fewer ones the calls that pack and read them cost more than
they save."""

PackedValues = tuple[bytes, bytes, int, int]
"""The last elements of a payload: byte planes, the names' exponents, the base and the lag."""

Pack = Callable[[CodedColumn[str], "array[float]"], PackedValues | None]


class Packing:
    """Packs values once the compiled code is loaded. For one thread.

    The first batch of `PACK_FROM` values starts loading it.
    """

    def __init__(self) -> None:
        self.pack = Loader("pack values", _load_pack)

    def packed(self, names: CodedColumn[str], values: array[float]) -> PackedValues | None:
        """Return the values of a batch in packed form, or None if they are to stay floats."""
        if len(values) < PACK_FROM:
            return None
        pack = self.pack.get()
        return None if pack is None else pack(names, values)


def _load_pack() -> Pack:
    from adapters.event_format.compiled_packing import Packer  # here, since it needs NumPy

    return Packer().packed
