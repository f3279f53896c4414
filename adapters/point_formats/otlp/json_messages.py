"""Messages from JSON: ProtoJSON as OTLP changes it.

Protocol Buffers, "ProtoJSON Format"; OpenTelemetry Protocol Specification, "JSON Protobuf
Encoding": names are in lowerCamelCase only, and unknown ones are ignored. Ids in hex are in fields
that are not read. Names of enums are read as well as their numbers, for the clients that send them.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, NoReturn

from google.protobuf.descriptor import FieldDescriptor

from adapters.json_text.broken_text import without_surrogates
from adapters.point_formats.otlp.messages import Metric, NumberDataPoint, Resource
from domain.names import abbreviated, json_type

MAX_DEPTH = 100
"""Messages within each other, as in protobuf."""

MAX_DIGITS = 400
"""Digits of a number that is read: more than any float has before its point."""

_is_integer = re.compile(r"-?[0-9]{1,20}\Z", re.ASCII).match
_is_number = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII).match
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class InvalidField(ValueError):
    """A value does not fit its field. The message is for people and says which."""


class _OutOfRange(float):
    """A JSON number beyond any field's range."""


def metric_message(raw: bytes) -> tuple[Any, dict[int, str]]:
    """Return a Metric message, and what is wrong with its invalid data points, by index.

    Those are empty in the message. `raw` is JSON. Raises InvalidField if the rest is invalid.
    """
    metric, faults = Metric(), dict[int, str]()
    _fill(metric, _decoded(raw), faults)
    return metric, faults


def point_attributes(raw: bytes) -> Any:
    """Return the KeyValue messages of a data point's attributes. Raises InvalidField."""
    point = NumberDataPoint()
    _fill(point, {"attributes": _decoded(raw)}, {})
    return point.attributes


def resource_attributes(raw: bytes) -> Any:
    """Return the KeyValue messages of a resource. Raises InvalidField."""
    resource = Resource()
    value = _decoded(raw)
    if value is not None:
        _fill(resource, value, {})
    return resource.attributes


def integer(value: object, least: int, most: int) -> int:
    """Return a number or a string of digits as an integer in a range. Raises InvalidField."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _is_integer(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidField(f"must be an integer, not {_shown(value)}")
    if not least <= value <= most:
        raise InvalidField(f"must be an integer from {least} to {most}")
    return value


def double(value: object) -> float:
    """Return a number or its text as a float. Raises InvalidField if it does not fit."""
    if isinstance(value, str):
        if value in _SPECIAL:
            return _SPECIAL[value]
        if len(value) <= MAX_DIGITS and _is_number(value):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidField(f"must be a number, not {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise InvalidField("must fit a 64-bit float")
    return number


def _decoded(raw: bytes) -> Any:
    """Decode JSON whose syntax is known to be right. Raises InvalidField."""
    try:
        return json.loads(raw, parse_int=_json_integer, parse_float=_json_float)
    except (RecursionError, ValueError) as error:
        raise InvalidField(f"cannot be read: {error}") from None


def _json_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else _OutOfRange("inf")


def _json_float(text: str) -> float:
    number = float(text)
    return _OutOfRange("inf") if math.isinf(number) else number


def _fill(message: Any, value: object, faults: dict[int, str], depth: int = 0) -> None:
    """Set a message's fields from a JSON object. Null leaves a field as it is."""
    if not isinstance(value, dict):
        raise InvalidField(f"must be an object, not {_shown(value)}")
    if depth == MAX_DEPTH:
        raise InvalidField("is nested too deeply")
    fields = message.DESCRIPTOR.fields_by_camelcase_name
    for name, member in value.items():
        field = fields.get(name)
        if field is None or member is None:
            continue
        try:
            _set(message, field, member, faults, depth)
        except InvalidField as error:
            raise InvalidField(f"{name} {error}") from None


def _set(message: Any, field: Any, value: object, faults: dict[int, str], depth: int) -> None:
    one_of = field.containing_oneof
    if one_of is not None and message.WhichOneof(one_of.name) is not None:
        raise InvalidField(f"is one too many: {message.WhichOneof(one_of.name)} is there as well")
    if not field.is_repeated:
        if field.message_type is None:
            setattr(message, field.name, _scalar(field, value))
        else:
            nested = getattr(message, field.name)
            nested.SetInParent()
            _fill(nested, value, faults, depth + 1)
        return
    if not isinstance(value, list):
        raise InvalidField(f"must be an array, not {_shown(value)}")
    items = getattr(message, field.name)
    if field.message_type is None:
        items.extend([_scalar(field, each) for each in value])
        return
    for index, each in enumerate(value):
        try:
            _fill(items.add(), each, faults, depth + 1)
        except InvalidField as error:
            if field.name != "data_points":
                raise
            items[index].Clear()
            faults[index] = str(error)


def _scalar(field: Any, value: object) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_INT64:
            return integer(value, -(1 << 63), (1 << 63) - 1)
        case FieldDescriptor.CPPTYPE_UINT64:
            return integer(value, 0, (1 << 64) - 1)
        case FieldDescriptor.CPPTYPE_INT32:
            return integer(value, -(1 << 31), (1 << 31) - 1)
        case FieldDescriptor.CPPTYPE_UINT32:
            return integer(value, 0, (1 << 32) - 1)
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return double(value)
        case FieldDescriptor.CPPTYPE_BOOL:
            return value if isinstance(value, bool) else _refuse("a boolean", value)
        case FieldDescriptor.CPPTYPE_ENUM:
            return _enum(field.enum_type, value)
    if not isinstance(value, str):
        _refuse("a string", value)
    return _bytes(value) if field.type == FieldDescriptor.TYPE_BYTES else without_surrogates(value)


def _enum(enum: Any, value: object) -> int:
    if isinstance(value, str) and value in enum.values_by_name:
        number: int = enum.values_by_name[value].number
        return number
    return integer(value, -(1 << 31), (1 << 31) - 1)


def _bytes(text: str) -> bytes:
    """Decode base64 in either alphabet, with or without its padding."""
    standard = text.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        return b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (Base64Error, ValueError):
        raise InvalidField("must be base64") from None


def _refuse(what: str, value: object) -> NoReturn:
    raise InvalidField(f"must be {what}, not {_shown(value)}")


def _shown(value: object) -> str:
    return abbreviated(value) if isinstance(value, str) else json_type(value)
