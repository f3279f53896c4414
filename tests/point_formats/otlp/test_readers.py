"""The readers agree with the rules, and with each other, on every body."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.point_formats.otlp import wire
from adapters.point_formats.otlp.json import JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from tests.point_formats.otlp.requests import (
    ALLOWED,
    CarefulJsonReader,
    json_body,
    read,
    read_slowly,
    requests,
)

PROTOBUF, JSON = ProtobufReader(ALLOWED), JsonReader(ALLOWED)
CAREFUL = CarefulJsonReader(ALLOWED)

thorough = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@thorough
@given(request=requests())
def test_protobuf_is_read_as_the_rules_say(request: Any) -> None:
    body = request.SerializeToString()
    for _ in range(2):  # once with new texts, once with known ones
        assert read(PROTOBUF, body) == read_slowly(body)


@thorough
@given(request=requests(), names=st.booleans(), numbers=st.booleans())
def test_json_is_read_as_the_same_request_in_protobuf(
    request: Any, names: bool, numbers: bool
) -> None:
    expected = read_slowly(request.SerializeToString())
    body = json_body(request, names=names, numbers=numbers)
    for _ in range(2):
        assert read(JSON, body) == expected
    assert read(CAREFUL, body) == expected


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace, insert and remove a few bytes, and cut the rest off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(changed)))
        match draw(st.integers(0, 3)):
            case 0:
                changed[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case 1:
                changed[at:at] = draw(st.binary(min_size=1, max_size=3))
            case 2:
                del changed[at : at + draw(st.integers(1, 4))]
            case 3:
                del changed[at:]
    return bytes(changed)


@thorough
@given(data=st.data(), request=requests())
def test_damaged_protobuf_is_malformed_or_read_as_the_rules_say(
    data: st.DataObject, request: Any
) -> None:
    body = data.draw(damaged(request.SerializeToString()))
    found, expected = read(PROTOBUF, body), read_slowly(body)
    if expected is None:
        # The attributes of a refused data point are not always looked at.
        assert found is None or found[1]
    else:
        assert found == expected


@thorough
@given(data=st.data(), request=requests())
def test_a_large_body_is_read_in_pieces_as_it_is_as_a_whole(
    data: st.DataObject, request: Any
) -> None:
    body = request.SerializeToString()
    if data.draw(st.booleans()):
        body = data.draw(damaged(body))
    whole = read_slowly(body)
    piece = data.draw(st.integers(20, 200))
    before, wire.PIECE = wire.PIECE, piece
    try:
        found = read(PROTOBUF, body)
    finally:
        wire.PIECE = before
    if found == whole:
        return
    assert found is not None
    rows, refused = found
    # What is too large to be parsed is refused, whatever it is.
    assert refused
    assert whole is None or all(row in whole[0] for row in rows)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["NaN", "1", "01", " 1", "1e3", "-1", "1_0", "\ud800", 10**400, 1e308, "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@thorough
@given(data=st.data(), request=requests())
def test_json_with_odd_members_has_one_reading(data: st.DataObject, request: Any) -> None:
    content = json.loads(json_body(request))
    for _ in range(data.draw(st.integers(1, 2))):
        parts = [*members(content)]
        holder, key = data.draw(st.sampled_from(parts)) if parts else (content, "resourceMetrics")
        holder[key] = data.draw(anything)
    body = json.dumps(content, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace")
    for _ in range(2):
        assert read(JSON, body) == read(CAREFUL, body)


def members(value: Any) -> Any:
    """Yield every member of objects and arrays, as its holder and key."""
    for key, inner in (
        [*value.items()]
        if isinstance(value, dict)
        else [*enumerate(value)]
        if isinstance(value, list)
        else []
    ):
        yield value, key
        yield from members(inner)


@thorough
@given(data=st.data(), request=requests())
def test_damaged_json_has_one_reading(data: st.DataObject, request: Any) -> None:
    body = data.draw(damaged(json_body(request)))
    assert read(JSON, body) == read(CAREFUL, body)


@given(st.binary())
def test_any_bytes_are_malformed_or_read(body: bytes) -> None:
    assert read(PROTOBUF, body) == read_slowly(body)
    assert read(JSON, body) == read(CAREFUL, body)
