"""A dashboard's variables: what they may be, which the service says, and what is chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from msgspec import Struct

from tests.promql.dashboards.grafana import Grafana
from tests.promql.dashboards.intervals import (
    SCRAPE_INTERVAL,
    TimeRange,
    duration_of,
    long,
    rate_interval,
    short,
    step_of,
)
from tests.promql.dashboards.model import Dashboard, Json
from tests.promql.dashboards.templates import Chosen, Values, interpolated, names_in

_label_values = re.compile(r"label_values\((?:(.+),\s*)?([^,()]+)\)\s*\Z", re.DOTALL).match
_label_names = re.compile(r"label_names\((.*)\)\s*\Z", re.DOTALL).match
_metrics = re.compile(r"metrics\((.+)\)\s*\Z", re.DOTALL).match
_query_result = re.compile(r"query_result\((.+)\)\s*\Z", re.DOTALL).match
_list_item = re.compile(r"(?:\\,|[^,])+").findall
_named_value = re.compile(r"\s*(.+)\s:\s(.+)\Z", re.DOTALL).match


class Choice(Enum):
    """What a viewer chooses: of each variable the first value, or all that can be chosen."""

    FIRST = "first values"
    ALL = "all values"


class Option(Struct, frozen=True):
    """A value that can be chosen, and the text it is shown with."""

    text: str
    value: str


def built_in(dashboard: Dashboard, shown: TimeRange, step: int) -> dict[str, Chosen]:
    """Return Grafana's own variables for a query with this step (ms)."""
    texts = {
        "__interval": short(step),
        "__interval_ms": str(step),
        "__rate_interval": long(rate_interval(step)),
        "__rate_interval_ms": str(rate_interval(step)),
        "__range": f"{round(shown.length / 1000)}s",
        "__range_s": str(round(shown.length / 1000)),
        "__range_ms": str(shown.length),
        "__from": str(shown.start),
        "__to": str(shown.end),
        "__dashboard": dashboard.title,
        "__org": "1",
        "__name": "",
        "timeFilter": "",
        "__timezone": "utc",
    }
    return {name: Chosen([text]) for name, text in texts.items()}


class Variables:
    """Resolves the variables of a dashboard, those first that others depend on."""

    def __init__(self, dashboard: Dashboard, shown: TimeRange, grafana: Grafana) -> None:
        self._dashboard = dashboard
        self._shown = shown
        self._grafana = grafana
        self.without_values: list[str] = []

    def chosen(self, choice: Choice) -> Values:
        """Return what each variable is; those without any value are empty, as in Grafana."""
        values = built_in(self._dashboard, self._shown, step_of(self._shown, 1000, SCRAPE_INTERVAL))
        left = {variable["name"]: variable for variable in self._dashboard.variables}
        while left:
            # One that waits for itself or for a cycle is resolved with what there is.
            name = next((n for n in left if not _depends(left[n]) & (left.keys() - {n})), min(left))
            values[name] = self._one(left.pop(name), choice, values)
        return values

    def _one(self, variable: Json, choice: Choice, values: Values) -> Chosen:
        options = list(self._options(variable, values))
        multiple = bool(variable.get("multi"))
        several = multiple or bool(variable.get("includeAll"))
        if not options:
            self.without_values.append(variable["name"])
            return Chosen([""], several=several)
        if choice is Choice.ALL and variable.get("includeAll"):
            return Chosen(
                [option.value for option in options],
                ["All"],
                several=True,
                whole=variable.get("allValue") or None,
            )
        if choice is Choice.FIRST or not multiple:
            options = options[:1] if choice is Choice.FIRST else options[-1:]
        return Chosen([one.value for one in options], [one.text for one in options], several)

    def _options(self, variable: Json, values: Values) -> Iterator[Option]:
        text = query_text(variable)
        match variable["type"]:
            case "query":
                found = self._found(interpolated(text, values))
                yield from _filtered(found, interpolated(variable.get("regex") or "", values))
            case "custom":
                for item in _list_item(text):
                    yield _option(item.replace("\\,", ","))
            case "interval":
                if variable.get("auto"):
                    yield Option("auto", self._auto_interval(variable))
                for item in _list_item(text):
                    yield Option(item.strip(), item.strip())
            case "constant" | "textbox":
                yield Option(text, text)
            case "datasource":
                yield Option("CAVE", "cave")
            case "adhoc" | "groupby":
                # Their keys and values are offered; as long as none is chosen, nothing is added.
                for key in self._grafana.label_names(self._shown)[:3]:
                    self._grafana.label_values(key, self._shown)
                yield Option("", "")
            case other:
                raise ValueError(f"variable {variable['name']}: unknown type {other!r}")

    def _found(self, query: str) -> Sequence[str]:
        """Return what a variable's query finds, by the functions of the Prometheus data source."""
        grafana, shown = self._grafana, self._shown
        if found := _label_names(query):
            selector = f'{{__name__=~".*{found[1]}.*"}}' if found[1].strip() else ""
            return grafana.label_names(shown, selector)
        if found := _label_values(query):
            selector = (found[1] or "").strip()
            return grafana.label_values(found[2].strip(), shown, selector.replace("{}", ""))
        if found := _metrics(query):
            matches = re.compile(found[1]).search
            return [name for name in grafana.label_values("__name__", shown) if matches(name)]
        if found := _query_result(query):
            return [*map(_sample_text, grafana.query(found[1], shown.end))]
        return [_series_text(labels) for labels in grafana.series(query, shown)] if query else []

    def _auto_interval(self, variable: Json) -> str:
        shortest = duration_of(variable.get("auto_min") or "10s")
        return short(step_of(self._shown, int(variable.get("auto_count") or 30), shortest))


def query_text(variable: Json) -> str:
    """Return a variable's query; newer dashboards have it in an object."""
    query = variable.get("query")
    if isinstance(query, Mapping):
        query = query.get("query")
    return str(query or variable.get("definition") or "")


def _depends(variable: Json) -> set[str]:
    return names_in(query_text(variable)) | names_in(variable.get("regex") or "")


def _option(item: str) -> Option:
    found = _named_value(item)
    text, value = (found[1], found[2]) if found else (item, item)
    return Option(text.strip(), value.strip())


def _filtered(found: Sequence[str], pattern: str) -> Iterator[Option]:
    """Yield what matches a pattern such as `/name="(.+)"/i`, or its group, each once."""
    if not pattern:
        matches = None
    else:
        body, flags = pattern, ""
        if pattern.startswith("/"):
            body, _, flags = pattern[1:].rpartition("/")
        body = re.sub(r"\(\?<([a-zA-Z_]\w*)>", r"(?P<\1>", body)
        matches = re.compile(body, re.IGNORECASE if "i" in flags else 0).finditer
    seen: set[str] = set()
    for text in found:
        for option in _matched(text, matches):
            if option.value not in seen:
                seen.add(option.value)
                yield option


def _matched(text: str, matches: Any) -> Iterator[Option]:
    if matches is None:
        yield Option(text, text)
        return
    for found in matches(text):
        named = found.groupdict()
        if "value" in named or "text" in named:
            value = named.get("value") or named.get("text") or ""
            yield Option(named.get("text") or value, value)
        else:
            value = next((group for group in found.groups() if group is not None), text)
            yield Option(value, value)


def _series_text(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"


def _sample_text(sample: Any) -> str:
    if not isinstance(sample, Mapping):
        return str(sample)
    at, value = sample["value"]
    return f"{_series_text(sample['metric'])} {value} {at * 1000:g}"
