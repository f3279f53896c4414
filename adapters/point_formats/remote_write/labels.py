"""The labels of a series as a metric's name and tags (1.0, "Labels"; 2.0, "Series Labels")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from adapters.point_formats.mapping import Unmappable, mapped_metric_name, mapped_tags
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_point import MAX_TAGS, TagSet
from domain.names import abbreviated

METRIC_NAME = "__name__"
"""The label that has the metric's name."""


class Identity(Struct, frozen=True, gc=False):
    """What a series is called; both are valid."""

    name: str
    tags: TagSet


Known = Identity | Unmappable
"""An identity, or why a series has none."""


def identity_of(labels: Iterable[tuple[bytes, bytes]]) -> Known:
    """Return the identity of a series with these labels, in any order.

    A refusal is returned, not raised, so that a memo has it for the next body too.
    """
    try:
        return _identity([(_text(name), _text(value)) for name, value in labels])
    except Unmappable as refusal:
        return refusal


class Identities:
    """Makes the identities of series, for one thread at a time.

    The metrics of a program have the same tags, and get the same object here. It is found by its
    address when a batch is encoded; comparing equal ones takes five times as long.
    """

    def __init__(self) -> None:
        self._tag_sets: Memo[TagSet, TagSet] = Memo(lambda tags: tags, lambda tags, _: tags.size())

    def of(self, labels: Iterable[tuple[bytes, bytes]]) -> Known:
        """Return the same as `identity_of`."""
        known = identity_of(labels)
        if isinstance(known, Identity):
            known = Identity(known.name, self._tag_sets[known.tags])
        return known


def _identity(labels: Sequence[tuple[str, str]]) -> Identity:
    names = dict(labels)
    if len(names) < len(labels):  # "MUST NOT contain repeated label names"
        [(twice, _)] = Counter(name for name, _ in labels).most_common(1)
        raise Unmappable(Reason.TAG, f"two labels have the name {abbreviated(twice)}")
    name = names.pop(METRIC_NAME, "")  # "SHOULD contain a `__name__` label": here it must
    if not name:
        raise Unmappable(Reason.NAME, f"the label {METRIC_NAME} is missing or empty")
    # "MUST NOT contain any empty label names or values": those of no value are left out.
    return Identity(mapped_metric_name(name), mapped_tags(names.items()))


def _text(content: bytes) -> str:
    try:
        return content.decode()  # "any sequence of UTF-8 characters"
    except UnicodeDecodeError:
        raise Unmappable(Reason.TAG, "a label is not UTF-8") from None


def size_of(known: Known) -> int:
    """Return about how many bytes an identity takes."""
    return len(known.name) + known.tags.size() if isinstance(known, Identity) else 500


def with_bound(identity: Identity, bound: str) -> TagSet:
    """Return the tags of a histogram's bucket with this upper bound. Raises Unmappable."""
    pairs = identity.tags.pairs
    if any(name == "le" for name, _ in pairs):
        raise Unmappable(Reason.TAG, "a label has the name le, which a bucket's bound has")
    if len(pairs) == MAX_TAGS:
        raise Unmappable(Reason.TOO_MANY_TAGS, f"a bucket has more than {MAX_TAGS} tags")
    return TagSet(tuple(sorted((*pairs, ("le", bound)))))
