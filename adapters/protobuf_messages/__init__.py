"""Protobuf messages described in Python: classes of the `protobuf` library, without its compiler.

A description names only the fields that are read or written. A field may be bytes here and a
message elsewhere, which have the same form on the wire (Protocol Buffers, "Encoding").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Type = descriptor_pb2.FieldDescriptorProto
"""Has the types of fields: `TYPE_BYTES`, `TYPE_INT64` and so on."""


class Field(NamedTuple):
    """A field: its number, its type, or the name of its messages, and the `oneof` that it is in."""

    number: int
    type: int | str
    repeated: bool = False
    one_of: str = ""


def message_classes(
    package: str, messages: Mapping[str, Mapping[str, Field]]
) -> Mapping[str, type[Any]]:
    """Return the classes of messages (proto3), by their names. `package` must be unique."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto3"
    )
    for name, fields in messages.items():
        _describe(file.message_type.add(name=name), fields, package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in messages
    }


def _describe(message: Any, fields: Mapping[str, Field], package: str) -> None:
    one_ofs = list(dict.fromkeys(field.one_of for field in fields.values() if field.one_of))
    for one_of in one_ofs:
        message.oneof_decl.add(name=one_of)
    for name, field in fields.items():
        described = message.field.add(
            name=name,
            number=field.number,
            label=Type.LABEL_REPEATED if field.repeated else Type.LABEL_OPTIONAL,
        )
        if isinstance(field.type, str):
            described.type = Type.TYPE_MESSAGE
            described.type_name = f".{package}.{field.type}"
        else:
            described.type = field.type
        if field.one_of:
            described.oneof_index = one_ofs.index(field.one_of)
