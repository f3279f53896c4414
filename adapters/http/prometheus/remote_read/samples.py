"""Samples as fields of `prometheus.TimeSeries` (Protocol Buffers, "Encoding").

NumPy writes the bytes, since a library's message per sample takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_SAMPLES = 0x12  # field 2, a message: prometheus.Sample
_VALUE = 0x09  # field 1 of Sample, a double
_TIMESTAMP = 0x10  # field 2 of Sample, a varint
_HEAD = 12
"""Bytes of a field before its timestamp."""


def sample_fields(
    times: npt.NDArray[np.int64], values: npt.NDArray[np.float64], ends: Sequence[int]
) -> Sequence[bytes]:
    """Return the fields of samples, split at `ends`: the places behind the last of each series."""
    numbers = times.view(np.uint64)  # negative ones have ten bytes
    sizes = _varint_sizes(numbers)
    after = np.cumsum(sizes + _HEAD)
    out = np.empty(int(after[-1]) if len(after) else 0, np.uint8)
    for size in np.unique(sizes).tolist():
        (rows,) = (sizes == size).nonzero()
        fields = _fields(numbers[rows], values[rows], size)
        if len(rows) == len(times):
            out = fields.ravel()
        else:
            out[(after[rows] - fields.shape[1])[:, None] + np.arange(fields.shape[1])] = fields
    stops = [int(after[end - 1]) if end else 0 for end in ends]
    whole = out.data
    return [
        whole[start:stop].tobytes() for start, stop in zip([0, *stops[:-1]], stops, strict=True)
    ]


def _fields(numbers: npt.NDArray[np.uint64], values: npt.NDArray[np.float64], size: int) -> Bytes:
    """Return the fields as rows; the timestamps have `size` bytes."""
    fields = np.empty((len(numbers), _HEAD + size), np.uint8)
    fields[:, 0] = _SAMPLES
    fields[:, 1] = _HEAD + size - 2
    fields[:, 2] = _VALUE
    fields[:, 3:11] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    fields[:, 11] = _TIMESTAMP
    for place in range(size):
        septets = (numbers >> np.uint64(7 * place)).astype(np.uint8) & 0x7F
        fields[:, _HEAD + place] = septets if place == size - 1 else septets | 0x80
    return fields


def _varint_sizes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    bounds = np.array([1 << (7 * size) for size in range(1, 10)], np.uint64)
    return np.searchsorted(bounds, numbers, side="right") + 1
