"""What other protocols call metrics and tags, mapped to what names may be here.

A character outside the rule becomes `_`, and a leading digit gets a `_` before it. A control
character in a tag's value becomes U+FFFD, and a tag with an empty value is left out. What is too
long, or more tags than a point may have, is refused rather than changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from application.publishing.refusals import Reason
from domain.metric_point import MAX_TAGS, TagSet
from domain.names import (
    MAX_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    abbreviated,
    metric_name_fault,
    tag_name_fault,
)

_outside_metric_name = re.compile(r"[^a-zA-Z0-9_:./-]").sub
_outside_tag_name = re.compile(r"[^a-zA-Z0-9_./-]").sub
_not_text = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").sub
_LEADING = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")


class Unmappable(ValueError):
    """A name or tag has no valid form. `reason` is for counting; the message is for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


def mapped_metric_name(text: str) -> str:
    """Return a metric's name in its valid form. Raises Unmappable."""
    name = text
    if metric_name_fault(name):
        name = _leading(_outside_metric_name("_", text), ":")
        _check_length(name, "the metric's name", Reason.NAME)
    return name


def mapped_tag_name(text: str) -> str:
    """Return a tag's name in its valid form. Raises Unmappable."""
    name = text
    if tag_name_fault(name):
        name = _leading(_outside_tag_name("_", text), "")
        _check_length(name, "a tag's name", Reason.TAG)
    return name


def mapped_tags(pairs: Iterable[tuple[str, str]]) -> TagSet:
    """Return names and values of tags as a tag set. Raises Unmappable.

    Two tags whose names become equal are refused, since only one of them could be kept.
    """
    tags: dict[str, str] = {}
    for text, value in pairs:
        if not value:
            continue
        name = mapped_tag_name(text)
        if name in tags:
            raise Unmappable(Reason.TAG, f"two tags have the name {abbreviated(name)}")
        if len(tags) == MAX_TAGS:
            raise Unmappable(Reason.TOO_MANY_TAGS, f"the point has more than {MAX_TAGS} tags")
        if len(value) > MAX_TAG_VALUE_LENGTH:
            raise Unmappable(
                Reason.TAG,
                f"the value of tag {abbreviated(name)} has {len(value)} characters, "
                f"more than {MAX_TAG_VALUE_LENGTH}",
            )
        tags[name] = _not_text("\N{REPLACEMENT CHARACTER}", value)
    return TagSet(tuple(sorted(tags.items())))


def _leading(name: str, also: str) -> str:
    """Return a name with a beginning that is allowed."""
    if not name or name[0] in _LEADING or name[0] in also:
        return name
    return "_" + name if name[0] in _DIGITS else "_" + name[1:]


def _check_length(name: str, what: str, reason: Reason) -> None:
    if not name:
        raise Unmappable(reason, f"{what} is empty")
    if len(name) > MAX_NAME_LENGTH:
        raise Unmappable(reason, f"{what} has {len(name)} characters, more than {MAX_NAME_LENGTH}")
