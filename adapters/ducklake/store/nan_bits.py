"""The bits of NaNs, which DuckDB's Parquet files do not keep.

Its dictionaries hold a single NaN for all those of a file, whatever their bits. So the column
`value` has the ordinary NaN only, and the bits of any other follow the text of the point's tags:
`{"host":"a"}7ff0000000000002`. That text is distinguished from others byte by byte, wherever rows
are merged, compared or digested, and searches in it for a tag find the same as without the bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from domain.values import NAN_BITS, from_bits

_Column = npt.NDArray[Any]

DIGITS = 16

END = "}"
"""The last character of tags without bits."""


def with_nan_bits(
    texts: list[str], codes: _Column, values: _Column
) -> tuple[list[str], _Column, _Column]:
    """Return the texts of tag sets, the code of each row's text, and the values, as stored.

    Nothing is changed in place, and without unusual NaNs nothing is copied.
    """
    (rows,) = np.isnan(values).nonzero()
    bits = values.view(np.uint64)
    rows = rows[bits[rows] != NAN_BITS]
    if not len(rows):
        return texts, codes, values
    pairs, of_row = np.unique(
        np.stack((codes[rows].astype(np.uint64), bits[rows])), axis=1, return_inverse=True
    )
    added = [f"{texts[code]}{number:0{DIGITS}x}" for code, number in pairs.T.tolist()]
    codes, values = codes.astype(np.int64), values.copy()
    codes[rows] = len(texts) + of_row.reshape(-1)
    values[rows] = from_bits(NAN_BITS)
    return texts + added, codes, values


def without_nan_bits(text: str) -> tuple[str, int | None]:
    """Return the text of a row's tags alone, and the bits of its value if they came with it."""
    if text.endswith(END):
        return text, None
    return text[:-DIGITS], int(text[-DIGITS:], 16)
