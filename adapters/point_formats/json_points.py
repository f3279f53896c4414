"""Parts of the formats whose bodies are a JSON object, or an array of them, one per metric."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from adapters.point_formats.mapping import Unmappable, mapped_metric_name, mapped_tags
from adapters.point_formats.reader_format import MAX_ON_LOOP
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet
from domain.names import abbreviated, json_type

MAX_ORIGINAL = 1000
"""Characters of a refused item that are kept, so that it can be repeated; longer ones are not."""

MARKS_PER_POINT = 60
"""Brackets, braces and commas of a large body per point of the limit, which bound its objects."""

_scan = json.JSONDecoder().raw_decode
_blank = re.compile(r"[ \t\r\n]*").match
_is_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch


class Item(NamedTuple):
    """An item of a body, where it is (a JSON pointer; `/0` if it is the body), and its text."""

    place: str
    content: Any
    original: str


def items_of(body: bytes) -> Iterator[Item]:
    """Yield the items of a body, one at a time, so that the whole is never held as objects.

    NaN and the infinities are read, as JavaScript writes them, since some clients do. Raises
    MalformedBody.
    """
    try:
        text = body.decode("utf-8-sig")
        at = _after_blank(text, 0)
        if not text.startswith("[", at):
            content, end = _scan(text, at)
            yield _item(0, content, text, at, end)
            at = end
        else:
            at = _after_blank(text, at + 1)
            index = 0
            while index or not text.startswith("]", at):
                content, end = _scan(text, at)
                yield _item(index, content, text, at, end)
                index += 1
                at = _after_blank(text, end)
                if not text.startswith(",", at):
                    break
                at = _after_blank(text, at + 1)
            if not text.startswith("]", at):
                raise MalformedBody(f"the body is not JSON: expected , or ] at character {at}")
            at += 1
        if _after_blank(text, at) != len(text):
            raise MalformedBody(f"the body is not JSON: unexpected text at character {at}")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    except ValueError as error:  # a JSONDecodeError, or an integer of thousands of digits
        if isinstance(error, MalformedBody):
            raise
        raise MalformedBody(f"the body is not JSON: {error}") from None


def _item(index: int, content: Any, text: str, at: int, end: int) -> Item:
    return Item(f"/{index}", content, text[at:end] if end - at <= MAX_ORIGINAL else "")


def _after_blank(text: str, at: int) -> int:
    found = _blank(text, at)
    assert found is not None  # noqa: S101  it may be empty
    return found.end()


def name_of(content: object) -> str:
    """Return a metric's name. Raises Unmappable."""
    if not isinstance(content, str):
        raise Unmappable(Reason.NAME, f"the metric's name must be a string, not {said(content)}")
    return mapped_metric_name(content)


def tags_of(content: object) -> TagSet:
    """Return the tags of an object of strings, or of None for no tags. Raises Unmappable."""
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise Unmappable(Reason.TAG, f"the tags must be an object, not {said(content)}")
    for name, value in content.items():
        if not isinstance(value, str):
            detail = f"the value of tag {abbreviated(name)} must be a string, not {said(value)}"
            raise Unmappable(Reason.TAG, detail)
    return mapped_tags(content.items())


def number_of(content: object, *, texts: bool) -> float | None:
    """Return a finite number, also of a text if `texts` are numbers; None for anything else."""
    if isinstance(content, str) and texts:
        number = float(content) if _is_number(content) else math.nan
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        try:
            number = float(content)
        except OverflowError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def said(content: object) -> str:
    """Return what a value is, for an error message."""
    return "missing" if content is None else json_type(content)


class GaveUp(Exception):
    """A quick reader leaves a body to the readable one."""


_decode_tags = msgspec.json.Decoder(dict[str, str] | None).decode


def _known_tags(raw: bytes) -> TagSet:
    try:
        return mapped_tags((_decode_tags(raw) or {}).items())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Unmappable):
        raise GaveUp from None


def _known_name(text: str) -> str:
    try:
        return mapped_metric_name(text)
    except Unmappable:
        raise GaveUp from None


class Known:
    """Names and tags by what they are written as. Bounded; for one thread."""

    def __init__(self) -> None:
        self.names = Memo(_known_name, lambda text, name: len(text) + len(name))
        self.tags = Memo(_known_tags, lambda raw, tags: len(raw) + tags.size())


class Reader(Protocol):
    """Reads the valid bodies of a format, for one thread."""

    def read(self, body: bytes, terms: BodyTerms) -> PointBatch | None:
        """Return the points, or None if the body must be read readably. Raises BodyTooLarge."""


class JsonPointsFormat:
    """Implements the port PointFormat with a quick reader, and a readable one that defines it."""

    repeats = True

    def __init__(
        self, quick: Callable[[], Reader], read_readably: Callable[[bytes, BodyTerms], Decoded]
    ) -> None:
        self._new_quick = quick
        self._quick = quick()
        self._read_readably = read_readably

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:  # noqa: ARG002  always
        return True

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        if len(body) <= MAX_ON_LOOP:
            return self._read(self._quick, body, terms)
        if sum(map(body.count, (b"[", b"{", b","))) > MARKS_PER_POINT * terms.max_points:
            raise BodyTooLarge(
                "the body has more arrays, objects and fields than the points allowed"
            )
        # A reader is for one thread. A body of this size has no use for what others had.
        return await asyncio.to_thread(self._read, self._new_quick(), body, terms)

    def _read(self, quick: Reader, body: bytes, terms: BodyTerms) -> Decoded:
        points = quick.read(body, terms)
        return self._read_readably(body, terms) if points is None else Decoded(points)
