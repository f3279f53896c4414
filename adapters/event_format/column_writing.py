"""Writes the columns of a payload with compiled code, if that is loaded."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from adapters.compiled_code import Loader
from domain.metric_point import PointBatch

if TYPE_CHECKING:
    from adapters.event_format.compiled_columns import ColumnWriter

PACK_FROM = 64
"""Minimum values that are packed. For fewer ones the calls that pack and read them cost more than
they save."""


class ColumnWriting:
    """Has a writer of columns once the compiled code is loaded. For one thread.

    Values are packed from `pack_from` on, and the first batch of so many starts the loading.
    """

    def __init__(self, pack_from: int = PACK_FROM) -> None:
        self.pack_from = pack_from
        self.loader = Loader("write columns", _load_writer)

    def writer(self, points: PointBatch) -> ColumnWriter | None:
        """Return the writer for a batch, None if there is none yet or loops are faster.

        Loops are faster for few points whose times have codes already.
        """
        if len(points) >= self.pack_from:
            return self.loader.get()
        return self.loader.made if isinstance(points.timestamps, array) else None


def _load_writer() -> ColumnWriter:
    from adapters.event_format.compiled_columns import ColumnWriter  # here, since it needs NumPy

    return ColumnWriter()
