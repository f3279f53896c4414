"""Small JSON bodies, read as a whole and checked against a struct."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from litestar import Request

from adapters.http.body import read_body, too_large
from adapters.http.errors import InvalidBody, UnsupportedMedia
from adapters.http.header_fields import content_length, header_fields
from adapters.json_text.broken_text import readable, without_surrogates
from application.errors import MalformedBody
from domain.errors import MAX_FAULTS, Fault, InvalidArgument

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
    body = await read_body(request.receive, MAX_BYTES)
    return _decoded(body.removeprefix(BOM_UTF8), decoder)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidBody(_fault(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if faults := _text_faults(body):
            raise InvalidBody(*faults[:MAX_FAULTS]) from None
        raise MalformedBody(f"the body is not JSON: {error}") from None


def _text_faults(body: bytes) -> list[Fault]:
    """Return the faults of a body that is JSON, except that text in it is not Unicode."""
    broken = readable(body)
    if broken is None:
        return []
    try:
        value = msgspec.json.decode(broken.json)
    except msgspec.ValidationError:  # a number is out of range as well
        return []
    return [*_broken_text(broken.restored(value))]


def _broken_text(value: Any, pointer: str = "") -> Iterator[Fault]:
    """Yield a fault for each string that is not Unicode, names of fields included."""
    match value:
        case str() if (shown := without_surrogates(value)) != value:
            yield Fault(None, pointer, f"must be valid Unicode, is {shown!r}")
        case list():
            for index, each in enumerate(value):
                yield from _broken_text(each, f"{pointer}/{index}")
        case dict():
            for name, each in value.items():
                yield from _broken_text(name, pointer)
                step = without_surrogates(name).replace("~", "~0").replace("/", "~1")
                yield from _broken_text(each, f"{pointer}/{step}")


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
