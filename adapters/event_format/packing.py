"""Packs the values of a batch, with compiled code if that is loaded."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable

import structlog

from adapters.compiled_code import NotCompiled
from domain.columns import CodedColumn

PACK_FROM = 64
"""Minimum values that are packed. For fewer ones the calls that pack and read them cost more than
they save."""

_log = structlog.get_logger(__name__)


PackedValues = tuple[bytes, bytes, int, int]
"""The last elements of a payload: byte planes, the names' exponents, the base and the lag."""

Pack = Callable[[CodedColumn[str], "array[float]"], PackedValues | None]


class Packing:
    """Packs values once the compiled code is loaded. For one thread.

    The first batch of `PACK_FROM` values starts loading it, in a thread of its own.
    """

    def __init__(self) -> None:
        self._pack: Pack | None = None
        self.loading: threading.Thread | None = None

    def packed(self, names: CodedColumn[str], values: array[float]) -> PackedValues | None:
        """Return the values of a batch in packed form, or None if they are to stay floats."""
        if len(values) < PACK_FROM:
            return None
        if self._pack is not None:
            return self._pack(names, values)
        if self.loading is None:
            self.loading = threading.Thread(target=self.load, name="load packing")
            self.loading.start()
        return None

    def load(self) -> None:
        """Load the compiled code, unless it cannot be compiled here. Takes up to five seconds."""
        try:
            from adapters.event_format.compiled_packing import Packer

            self._pack = Packer().packed
        except NotCompiled as error:
            _log.warning("values are stored without packing them", reason=str(error))
            return
        _log.info("values are packed from now on")
