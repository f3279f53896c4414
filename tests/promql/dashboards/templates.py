"""Variables in texts: `$name`, `[[name]]` and `${name}`, with a format or without.

The rules are those of Grafana's documentation, "Variable syntax", and of its Prometheus data source
for variables without a format: several values become a regular expression.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import Struct

_reference = re.compile(
    r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}", re.ASCII
)


class Chosen(Struct, frozen=True):
    """The chosen values of a variable, and their texts.

    `several` says that it may have more than one, so that its values are regular expressions.
    `whole` is the text for all values, which is used as it is.
    """

    values: Sequence[str]
    texts: Sequence[str] = ()
    several: bool = False
    whole: str | None = None


Values = Mapping[str, Chosen]


def names_in(text: str) -> set[str]:
    """Return the names of the variables that a text refers to."""
    return {found[1] or found[2] or found[4] for found in _reference.finditer(text)}


def interpolated(text: str, values: Values) -> str:
    """Return the text with its variables replaced; unknown ones stay, as in Grafana."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[4]
        form = found[3] or found[5]
        chosen = values.get(name)
        return found[0] if chosen is None else _formatted(name, chosen, form)

    return _reference.sub(value, text)


def _formatted(name: str, chosen: Chosen, form: str | None) -> str:
    kind, _, argument = (form or "").partition(":")
    if kind == "text":
        return " + ".join(chosen.texts or chosen.values)
    if chosen.whole is not None and kind != "percentencode":
        return chosen.whole
    if kind == "date":
        return _date(int(chosen.values[0]), argument)
    if kind == "queryparam":
        return "&".join(f"var-{name}={quote(value, safe='')}" for value in chosen.values)
    if kind == "distributed":
        first, *others = chosen.values
        return ",".join([first, *(f"{name}={value}" for value in others)])
    if form is None:
        return _for_prometheus(chosen)
    return _FORMATS.get(kind, _FORMATS["glob"])(chosen.values)


def _for_prometheus(chosen: Chosen) -> str:
    if not chosen.several:
        [value] = chosen.values
        return value.replace("\\", "\\\\").replace("'", "\\\\'")
    return _alternatives([_escaped(value) for value in chosen.values])


def _escaped(value: str) -> str:
    """Escape a value as regular expression, and the backslashes for the quotes around it."""
    value = value.replace("\\", "\\\\\\\\")
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value)


def _as_regex(value: str) -> str:
    return re.sub(r"[/\-\\^$*+?.()|\[\]{}]", r"\\\g<0>", value)


def _alternatives(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"({'|'.join(values)})"


def _quoted(mark: str) -> Callable[[Sequence[str]], str]:
    return lambda values: ",".join(
        mark + value.replace(mark, f"\\{mark}") + mark for value in values
    )


_FORMATS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "csv": ",".join,
    "raw": ",".join,
    "pipe": "|".join,
    "glob": lambda values: values[0] if len(values) == 1 else f"{{{','.join(values)}}}",
    "json": lambda values: json.dumps(values[0] if len(values) == 1 else list(values)),
    "regex": lambda values: _alternatives([*map(_as_regex, values)]),
    "percentencode": lambda values: quote(
        values[0] if len(values) == 1 else f"{{{','.join(values)}}}", safe=""
    ),
    "singlequote": _quoted("'"),
    "doublequote": _quoted('"'),
    "sqlstring": lambda values: ",".join("'" + v.replace("'", "''") + "'" for v in values),
    "lucene": lambda values: f"({' OR '.join(_quoted(chr(34))([v]) for v in values)})",
}  # fmt: skip


def _date(milliseconds: int, form: str) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    if form == "seconds":
        return str(milliseconds // 1000)
    if form in ("", "iso"):
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    parts = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
    return at.strftime(re.sub("|".join(parts), lambda found: parts[found[0]], form))
