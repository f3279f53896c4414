"""Names of labels in paths, where Prometheus 3 and its clients escape what is no plain name."""

from __future__ import annotations

import re

_PREFIX = "U__"
_escape = re.compile(r"__|_([0-9a-fA-F]{1,6})_")


def unescaped(name: str) -> str:
    """Return the name for which `U__` and an escaped name stand, or else the name itself.

    `_` is written `__`, and any other character that is none of a plain name as its code point in
    hexadecimal digits, `_2e_` for a dot. What is escaped badly stands for itself (`UnescapeName` of
    Prometheus' common library).
    """
    if not name.startswith(_PREFIX):
        return name
    rest = name.removeprefix(_PREFIX)
    if "_" in _escape.sub("", rest):
        return name
    try:
        return _escape.sub(lambda found: chr(int(found[1], 16)) if found[1] else "_", rest)
    except ValueError:
        return name
