"""Small JSON bodies, read as a whole and checked against a struct."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from litestar import Request

from adapters.http.body import read_body, too_large
from adapters.http.errors import InvalidBody, UnsupportedMedia
from adapters.http.header_fields import content_length, header_fields
from application.errors import MalformedBody
from domain.errors import Fault, InvalidArgument

MAX_BYTES = 64 * 1024

T = TypeVar("T")

_split_error = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?\Z", re.DOTALL).match
_named_field = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`\Z").match
_path_step = re.compile(r"\.([^.\[]+)|\[(\d+)\]").findall


async def read_json(request: Request[Any, Any, Any], decoder: msgspec.json.Decoder[T]) -> T:
    """Return the decoded body.

    Raises UnsupportedMedia, BodyTooLarge, MalformedBody, InvalidBody, ClientDisconnected.
    """
    fields = header_fields(request.scope["headers"])
    media = fields.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if media != b"application/json":
        raise UnsupportedMedia(
            f"the media type {media.decode('latin-1')!r} is not supported; send application/json"
        )
    if fields.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("no content encoding is supported here; send the body uncompressed")
    if content_length(fields) > MAX_BYTES:
        raise too_large(MAX_BYTES)
    return _decoded(await read_body(request.receive, MAX_BYTES), decoder)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidBody(_fault(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None


def _fault(message: str) -> Fault:
    """Read what msgspec says is wrong, and where: ``Expected `str` - at `$.scopes[0]` ``."""
    match = _split_error(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    steps = [name or index for name, index in _path_step(path)]
    if field := _named_field(what):
        steps.append(field[1])
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return Fault(None, pointer, what)


@contextmanager
def blamed_on_body() -> Iterator[None]:
    """Turn InvalidArgument into InvalidBody: a body's fields have the names of the arguments."""
    try:
        yield
    except InvalidArgument as error:
        raise InvalidBody(Fault(None, f"/{error.field}", str(error))) from None
