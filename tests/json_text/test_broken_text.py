"""JSON with text that is not Unicode is readable, and what was not Unicode is a surrogate."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.json_text.broken_text import readable, without_surrogates

surrogates = st.characters(categories=["Cs"])
texts = st.text(st.characters() | surrogates | st.sampled_from("\\u\ue000\ue001"), max_size=8)
values = st.recursive(
    texts | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def has_surrogates(text: str) -> bool:
    return without_surrogates(text) != text


@given(values)
def test_a_value_comes_back_with_its_surrogates(value: object) -> None:
    """As the standard library reads it, which lets surrogates pass."""
    body = json.dumps(value).encode()
    expected = json.loads(body)
    broken = readable(body)
    if has_surrogates(json.dumps(expected, ensure_ascii=False)):
        assert broken is not None
        assert broken.restored(json.loads(broken.json)) == expected
    else:
        assert broken is None


@given(st.binary(max_size=12))
def test_a_byte_that_is_not_utf_8_comes_back_as_python_escapes_it(content: bytes) -> None:
    text = content.replace(b'"', b"").replace(b"\\", b"")
    text = bytes(byte for byte in text if byte >= 0x20)
    expected = text.decode("utf-8", "surrogateescape")
    broken = readable(b'["%b"]' % text)
    if has_surrogates(expected):
        assert broken is not None
        assert broken.restored(json.loads(broken.json)) == [expected]
    else:
        assert broken is None


@pytest.mark.parametrize(
    "body", [b'["\\ud800"', b"[\xff]", b'{"a":}', b"", b"[" * 100_000 + b'"\xff']
)
def test_what_is_not_json_otherwise_is_not_readable(body: bytes) -> None:
    assert readable(body) is None


def test_a_body_with_every_mark_is_not_readable() -> None:
    every = "".join(map(chr, range(0xE000, 0xF900)))
    assert readable(f'["{every}'.encode() + b'\xff"]') is None
