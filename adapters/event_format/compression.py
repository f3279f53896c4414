"""Zstandard (RFC 8878). Loaded on first use, as small events are not compressed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

COMPRESS_FROM = 512
"""Minimum bytes of a payload that is compressed; zstd saves next to nothing on smaller ones."""

MAX_CONTENT = 1 << 30
"""Maximum bytes of a payload after decompression, far more than a request can have."""


@cache
def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


class Compressor:
    """Compresses each payload into its own frame, with a checksum if asked. For one thread."""

    def __init__(self, level: int = 1, *, checksum: bool = False) -> None:
        self._level = level
        self._checksum = checksum
        self._compressor: Any = None

    def compress(self, payload: bytes) -> bytes:
        if self._compressor is None:
            parameter = _zstd().CompressionParameter
            options = {
                parameter.compression_level: self._level,
                parameter.checksum_flag: int(self._checksum),
            }
            self._compressor = _zstd().ZstdCompressor(options=options)
            self._flush_frame = self._compressor.FLUSH_FRAME
        compressed: bytes = self._compressor.compress(payload, self._flush_frame)
        return compressed


def decompress(payload: bytes) -> bytes:
    """Return a frame's content. Raises ValueError if it is not one valid frame of zstd.

    At most `MAX_CONTENT` bytes are made of it: a frame that has more is not valid.
    """
    zstd = _zstd()
    decompressor = zstd.ZstdDecompressor()
    try:
        content: bytes = decompressor.decompress(payload, MAX_CONTENT)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error
    if not decompressor.eof:
        # A frame that is complete has more content than may be made of it.
        is_cut = decompressor.needs_input
        raise ValueError(
            "a frame of zstd is cut off" if is_cut else f"{MAX_CONTENT} bytes are exceeded"
        )
    if decompressor.unused_data:
        raise ValueError("there are bytes behind a frame of zstd")
    return content


def inflated(fields: Mapping[bytes, bytes]) -> bytes:
    """Return an entry's payload, decompressed. Raises KeyError, and ValueError if it cannot be."""
    match fields[b"encoding"]:
        case b"zstd":
            return decompress(fields[b"payload"])
        case b"":
            return fields[b"payload"]
        case other:
            raise ValueError(f"the encoding {other!r} is unknown")
