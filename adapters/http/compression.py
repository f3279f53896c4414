"""Compressed answers, for clients that accept them (RFC 9110, "Accept-Encoding")."""

from __future__ import annotations

import asyncio
import gzip

from msgspec.structs import replace

from adapters.http.problems import Answer

MIN_SIZE = 4096
"""Bytes of a body below which compressing it saves nothing."""

LEVEL = 1
"""Higher levels take several times as long, and make JSON hardly smaller."""


async def compressed(answer: Answer, accept_encoding: str) -> Answer:
    """Return the answer with its body compressed, if it is large and the client accepts gzip.

    It is compressed in a thread, since a large body takes long.
    """
    headers = [*answer.headers, (b"vary", b"Accept-Encoding")]
    if len(answer.body) < MIN_SIZE or not accepts_gzip(accept_encoding):
        return replace(answer, headers=headers)
    # The time in the header would make equal answers differ.
    body = await asyncio.to_thread(gzip.compress, answer.body, LEVEL, mtime=0)
    headers = [header for header in headers if header[0] != b"content-length"]
    headers += [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(body))]
    return replace(answer, headers=headers, body=body)


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header names gzip, or `*`, with a weight above zero."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        weights[coding] = min(map(_weight, parameters), default=1.0)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
