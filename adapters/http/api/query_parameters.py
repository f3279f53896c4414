"""The parameters of a query, read from the URL. All faults are reported together."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct

from adapters.http.errors import InvalidParameters, ParameterFault
from adapters.http.url_text import url_text
from application.event_log.receipts import Receipt
from application.reading.ports import Aggregation
from application.reading.query_values import (
    AGGREGATORS,
    DEFAULT_LIMIT,
    MAX_LIMIT,
    PERIODS,
    parse_aggregator,
    parse_period,
    parse_tags,
    parse_time,
)
from domain.names import abbreviated, metric_name_fault

_is_whole = re.compile(r"\d{1,10}\Z", re.ASCII).match

# A plus sign that was not percent-encoded arrives as a space. The one before a zone comes after the
# date and the time, so it is not the space between those.
_with_plus = re.compile(r"\A(\S+[Tt ]\S+) (\d\d(?::?\d\d)?)\Z", re.ASCII).sub


class MetricsQuery(Struct, frozen=True, kw_only=True):
    """The parameters of a query. Times are in milliseconds since the epoch."""

    metric: str
    tags: Mapping[str, str] = {}
    start: int | None = None
    end: int | None = None
    aggregation: Aggregation | None = None
    limit: int = DEFAULT_LIMIT
    receipt: Receipt | None = None


def flag(query_string: bytes, name: str) -> bool:
    """Return the value of the only parameter there is, by default false.

    Raises InvalidParameters if it is invalid, or if there is any other parameter.
    """
    texts, faults = _given(query_string, (name,))
    text = texts.get(name, "false")
    if text not in {"true", "false"}:
        faults[name] = ParameterFault(name, f"must be true or false, is {abbreviated(text)}")
    if faults:
        raise InvalidParameters(faults.values())
    return text == "true"


def metrics_query(query_string: bytes) -> MetricsQuery:
    """Return a query's parameters. Raises InvalidParameters, which lists all that are wrong."""
    texts, faults = _given(query_string, _READERS)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = _READERS[name](text)
        except ValueError as error:
            faults[name] = ParameterFault(name, str(error))
    _check_together(values, faults)
    if faults:
        raise InvalidParameters(faults.values())
    aggregator, period = values.pop("aggregator", None), values.pop("period", None)
    aggregation = Aggregation(aggregator, period) if aggregator else None
    return MetricsQuery(**values, aggregation=aggregation)


def _given(
    query_string: bytes, allowed: Collection[str]
) -> tuple[dict[str, str], dict[str, ParameterFault]]:
    """Return the texts of allowed parameters, and the faults of all others, both by name."""
    texts: dict[str, str] = {}
    faults: dict[str, ParameterFault] = {}
    for pair in filter(None, query_string.split(b"&")):
        encoded_name, _, encoded = pair.partition(b"=")
        name = url_text(encoded_name)
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            faults[name] = ParameterFault(name, f"is not a parameter here; the parameters: {known}")
        elif name in texts:
            faults[name] = ParameterFault(name, "is given more than once")
        else:
            try:
                texts[name] = url_text(encoded, "strict")
            except UnicodeDecodeError:
                faults[name] = ParameterFault(name, "must be UTF-8, percent-encoded")
    return {name: text for name, text in texts.items() if name not in faults}, faults


def _check_together(values: Mapping[str, Any], faults: dict[str, ParameterFault]) -> None:
    """Add the faults of parameters that are each valid but do not go together."""
    given = values.keys() | faults.keys()
    if "metric" not in given:
        faults["metric"] = ParameterFault("metric", "is mandatory: the metric's name")
    if "aggregator" in given and "period" not in given:
        faults["period"] = ParameterFault("period", f"is mandatory with an aggregator: {PERIODS}")
    if "period" in given and "aggregator" not in given:
        faults["period"] = ParameterFault(
            "period", f"is only allowed with an aggregator: {', '.join(AGGREGATORS)}"
        )
    if values.get("start", -math.inf) > values.get("end", math.inf):
        faults["start"] = ParameterFault("start", "must not be later than end")


def _metric(text: str) -> str:
    if fault := metric_name_fault(text):
        raise ValueError(fault)
    return text


def _time(text: str) -> int:
    return parse_time(_with_plus(r"\1+\2", text) if " " in text else text)


def _limit(text: str) -> int:
    if not _is_whole(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}, is {abbreviated(text)}")
    return int(text)


_READERS: dict[str, Callable[[str], Any]] = {
    "metric": _metric,
    "tags": parse_tags,
    "start": _time,
    "end": _time,
    "aggregator": parse_aggregator,
    "period": parse_period,
    "limit": _limit,
    "receipt": Receipt.parse,
}
