"""Evaluating expressions on a few samples, written in short."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from adapters.memory.series_source import MemorySeriesSource
from adapters.promql import PromqlEngine
from application.reading.promql import InstantResult, InstantVector, Matrix, Scalar
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Owner

OWNER = Owner("tests")
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]

Written = Mapping[str, Iterable[float | tuple[float, float]]]
"""Samples by selector, such as `up{job="a"}`: values at 0 s, 10 s and so on, or pairs with the
time in seconds."""


class Evaluated:
    """Answers on samples. Times are in seconds."""

    def __init__(self, written: Written, **limits: float) -> None:
        source = MemorySeriesSource()
        self.engine = PromqlEngine(source)
        self._limits = QueryLimits(**limits)  # type: ignore[arg-type]
        for selector, samples in written.items():
            labels = {one.name: one.value for one in self.engine.selector(selector)}
            pairs = (
                one if isinstance(one, tuple) else (place * 10, one)
                for place, one in enumerate(samples)
            )
            source.add(OWNER, labels, ((round(at * 1000), value) for at, value in pairs))

    def instant(self, expression: str, at: float = 0) -> InstantResult:
        budget = QueryBudget(self._limits)
        return self.engine.instant(OWNER, expression, round(at * 1000), budget)

    def vector(self, expression: str, at: float = 0) -> dict[str, float]:
        """Return values by labels, in the order of the answer."""
        found = self.instant(expression, at)
        assert isinstance(found, InstantVector)
        return {_text(one.labels): one.value for one in found.samples}

    def value(self, expression: str, at: float = 0) -> float:
        """Return the only value of the answer."""
        found = self.instant(expression, at)
        if isinstance(found, Scalar):
            return found.value
        assert isinstance(found, InstantVector)
        (sample,) = found.samples
        return sample.value

    def range(
        self, expression: str, start: float, end: float, step: float
    ) -> dict[str, dict[float, float]]:
        """Return values by labels and time."""
        window = (round(start * 1000), round(end * 1000), round(step * 1000))
        found = self.engine.range(OWNER, expression, *window, QueryBudget(self._limits))
        return matrix(found)


def matrix(found: InstantResult) -> dict[str, dict[float, float]]:
    """Return a matrix' values by labels and time in seconds."""
    assert isinstance(found, Matrix)
    return {
        _text(one.labels): {
            at / 1000: value
            for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
        }
        for one in found.series
    }


def _text(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    return labels.get("__name__", "") + (f"{{{inner}}}" if inner else "")
