"""Types of option values that click does not have."""

from __future__ import annotations

import math
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from adapters.ducklake.object_storage import checked
from application.durations import parse_duration
from application.event_log.durability import Durability
from application.projections.folds import METRIC_NAMES, POINTS, PROJECTIONS, Projection
from application.reading.query_values import parse_period, parse_tags, parse_time

FORMER_PROJECTION_NAMES = {"series": POINTS.name, "catalog": METRIC_NAMES.name}

_SIZE_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_size = re.compile(r"(\d{1,12}) ?(?:([KMG])i?B?|B)?\Z", re.ASCII | re.IGNORECASE).match
_is_key_prefix = re.compile(r"[a-zA-Z0-9][_a-zA-Z0-9.:-]{0,62}\Z").match


# int() and float() also accept underscores, blanks, and digits of other scripts.
_is_whole = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_is_decimal = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?").fullmatch


class WholeNumber(click.IntRange):
    """A whole number in ASCII digits, within a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, str) and not _is_whole(value):
            self.fail(f"{value!r} is not a whole number", param, ctx)
        number: int = super().convert(value, param, ctx)
        return number


class DecimalNumber(click.FloatRange):
    """A finite number in ASCII digits, within a range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, str) and not (_is_decimal(value) and math.isfinite(float(value))):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        number: float = super().convert(value, param, ctx)
        return number


class Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Time(click.ParamType[int]):
    """A time; the command receives milliseconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_time(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Period(click.ParamType[int]):
    """A bucket's width; the command receives milliseconds."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_period(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ProjectionName(click.ParamType[Projection]):
    """The name of a projection; the command receives the projection."""

    name = "projection"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Projection:
        by_name = {projection.name: projection for projection in PROJECTIONS}
        if value in FORMER_PROJECTION_NAMES:
            renamed = FORMER_PROJECTION_NAMES[value]
            self.fail(f"the projection {value!r} is now called {renamed!r}", param, ctx)
        if value not in by_name:
            names = ", ".join(by_name)
            self.fail(f"there is no projection {value!r}; the projections are {names}", param, ctx)
        return by_name[value]


class Tags(click.ParamType[dict[str, str]]):
    name = "tags"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        try:
            return parse_tags(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not (match := _size(value)) or not int(match[1]):
            self.fail(
                f"{value!r} is not a size: use a number of bytes, or a unit as in 16MiB", param, ctx
            )
        return int(match[1]) << _SIZE_UNITS[(match[2] or "").lower()]


class Rate(click.ParamType[float]):
    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        rate = float(value) if isinstance(value, float) or _is_decimal(value) else 0.0
        if not math.isfinite(rate) or rate <= 0:
            self.fail(
                f"{value!r} is not a rate: use a positive number of points per second", param, ctx
            )
        return rate


NONE = "none"
"""The text that stands for no value."""


class OrNone(click.ParamType[Any]):
    """A value of another type, or the text NONE."""

    def __init__(self, of: click.ParamType[Any]) -> None:
        self.name = f"{of.name}|{NONE}"
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == NONE else self._of.convert(value, param, ctx)


class AttributeNames(click.ParamType[tuple[str, ...]]):
    """Names of attributes, separated by commas; one may end in `*`. Empty text is none."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(",")) if value.strip() else ()
        for name in names:
            if not name or "*" in name[:-1]:
                self.fail(f"{name!r} is not a name, nor a beginning with * after it", param, ctx)
        return names


class UnicodeText(click.ParamType[str]):
    """Text that is valid Unicode: not so in an argument are bytes that the locale cannot decode."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.fail(f"{text!a} is not valid Unicode", param, ctx)
        return text


class LocalPath(click.Path):
    """A click path that may begin with `~` or `~user`; the command receives a Path.

    A shell expands those too, but not in a variable, in `--flag=~/x`, or in a service's unit file.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(path_type=Path, **attributes)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        return super().convert(_at_home(self, os.fspath(value), param, ctx), param, ctx)


class PathOrUrl(click.ParamType[str]):
    """A path, as `LocalPath` takes it, or a URL; the command receives text."""

    name = "path or URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value) if "://" in value else _at_home(self, value, param, ctx)


class ProjectionsFiles(PathOrUrl):
    """Where files of projections can be: a path, or the URL of an object store; as text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return checked(super().convert(value, param, ctx))
        except ValueError as error:
            self.fail(f"the files go to {error}", param, ctx)


def _at_home(
    kind: click.ParamType[Any],
    path: str,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> str:
    expanded = os.path.expanduser(path)  # noqa: PTH111  a Path would make "" of "."
    if expanded.startswith("~"):
        user = path.partition("/")[0]
        kind.fail(f"{user} has no home directory; for a file of that name use ./{path}", param, ctx)
    return expanded


class RedisUrl(click.ParamType[str]):
    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        # Imported here: it takes a tenth of a second, which `cave --help` can do without.
        from adapters.redis_streams.connections import Connections

        try:
            Connections(value).close()
        except ValueError as error:
            # Not the value itself: it may hold a password.
            self.fail(
                f"not the URL of a Redis or Valkey server, or of Sentinels: {error}", param, ctx
            )
        return str(value)


class DurabilityValue(click.ParamType["Durability"]):
    name = "local|replicated:N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Durability:
        if isinstance(value, Durability):
            return value
        try:
            return Durability.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class KeyPrefix(click.ParamType[str]):
    name = "prefix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _is_key_prefix(value):
            self.fail(
                f"{value!r} is not a key prefix: use letters, digits and _.:- only", param, ctx
            )
        return str(value)
