"""Attributes as tags.

Those of a data point all are. Of a resource, those are that an allowlist names: others tell
processes apart rather than what is measured, such as `service.instance.id`, and would make a new
series each time that a process starts. Those of a scope are not.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from adapters.point_formats.buckets import number_text
from adapters.point_formats.mapping import Unmappable, mapped_tags
from application.publishing.refusals import Reason
from domain.metric_point import MAX_TAGS, TagSet
from domain.names import abbreviated

RESOURCE_ATTRIBUTES = (
    "service.name",
    "service.namespace",
    "host.name",
    "deployment.environment.name",
    "k8s.*",
)
"""The default allowlist."""

NO_TAGS = TagSet(())


class Allowlist:
    """Names of attributes; one that ends in `*` stands for all that begin like it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self._names = frozenset(patterns)
        self._beginnings = tuple(each[:-1] for each in patterns if each.endswith("*"))

    def __contains__(self, name: str) -> bool:
        return name in self._names or name.startswith(self._beginnings)


def point_tags(resource: TagSet, attributes: Iterable[Any]) -> TagSet:
    """Return the tags of a data point with these KeyValue messages. Raises Unmappable.

    An attribute of the point counts before one of its resource with the same name.
    """
    own = mapped_tags(_texts(attributes))
    if not resource.pairs:
        return own
    tags = dict(resource.pairs) | dict(own.pairs)
    if len(tags) > MAX_TAGS:
        raise _too_many()
    return TagSet(tuple(sorted(tags.items())))


def resource_tags(allowed: Allowlist, attributes: Sequence[Any]) -> TagSet:
    """Return the tags of a resource with these KeyValue messages. Raises Unmappable."""
    return mapped_tags(_texts(each for each in attributes if each.key in allowed))


def with_tag(tags: TagSet, name: str, number: float) -> TagSet:
    """Return tags with one more, the bound of a bucket or a quantile. Raises Unmappable."""
    if any(each == name for each, _ in tags.pairs):
        raise Unmappable(Reason.TAG, f"an attribute has the name {abbreviated(name)}")
    if len(tags.pairs) == MAX_TAGS:
        raise _too_many()
    return TagSet(tuple(sorted((*tags.pairs, (name, number_text(number))))))


def _texts(attributes: Iterable[Any]) -> Iterable[tuple[str, str]]:
    return ((each.key, value_text(each.value)) for each in attributes)


def value_text(value: Any) -> str:
    """Return an AnyValue as text, an empty one as empty text.

    OpenTelemetry specification, "Common specification concepts", "AnyValue representation for
    non-OTLP protocols".
    """
    match value.WhichOneof("value"):
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return _double_text(value.double_value)
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case "array_value" | "kvlist_value":
            return msgspec.json.encode(_as_json(value)).decode()
    return ""


def _as_json(value: Any) -> Any:
    """Return an AnyValue as a JSON value. upb's limit of nesting is Python's too."""
    match value.WhichOneof("value"):
        case "array_value":
            return [_as_json(each) for each in value.array_value.values]
        case "kvlist_value":
            return {each.key: _as_json(each.value) for each in value.kvlist_value.values}
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value" if math.isfinite(value.double_value):
            return value.double_value
        case None | "string_value_strindex":
            return None
    return value_text(value)


def _double_text(number: float) -> str:
    """Return a number as JSON has it, and what JSON lacks as in ProtoJSON, without quotes."""
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number_text(number)


def _too_many() -> Unmappable:
    return Unmappable(Reason.TOO_MANY_TAGS, f"the point has more than {MAX_TAGS} tags")
