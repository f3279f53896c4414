"""Dashboards as Grafana exports them: their variables, and what their panels ask of Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

Json = Mapping[str, Any]


class InvalidDashboard(Exception):
    """A file is no dashboard of the classic format."""


class Ask(Struct, frozen=True):
    """One query of a panel or of an annotation, with its variables.

    `interval` is the shortest step, as text or empty; `points` the most that the panel draws.
    """

    panel: str
    expression: str
    instant: bool = False
    range: bool = True
    exemplar: bool = False
    interval: str = ""
    factor: int = 1
    points: int = 1000
    time_from: str = ""
    time_shift: str = ""


class Dashboard(Struct, frozen=True):
    """`variables` are in the file's form; `time_from` and `time_to` are such as `now-6h`."""

    title: str
    uid: str
    variables: Sequence[Json]
    asks: Sequence[Ask]
    time_from: str
    time_to: str


def dashboard_of(path: Path) -> Dashboard:
    """Read a dashboard, also one within the answer of Grafana's API. Raises InvalidDashboard."""
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidDashboard(f"{path}: {error}") from error
    content = content.get("dashboard", content)
    if "panels" not in content and "rows" not in content:
        raise InvalidDashboard(f"{path}: it has neither `panels` nor `rows`")
    time = content.get("time") or {}
    return Dashboard(
        content.get("title") or path.stem,
        content.get("uid") or "",
        (content.get("templating") or {}).get("list") or [],
        [*_panel_asks(content), *_annotation_asks(content)],
        time.get("from") or "now-6h",
        time.get("to") or "now",
    )


def _panel_asks(content: Json) -> Iterator[Ask]:
    for panel in _panels(content):
        for target in panel.get("targets") or ():
            if target.get("hide") or not target.get("expr") or not _of_prometheus(target, panel):
                continue
            instant = bool(target.get("instant"))
            exemplar = bool(target.get("exemplar"))
            # Dashboards from before Grafana 7.4 have no `range`, and mean it.
            ranged = bool(target.get("range", not instant))
            yield Ask(
                panel=panel.get("title") or f"panel {panel.get('id')}",
                expression=target["expr"],
                instant=instant,
                range=ranged or not (instant or exemplar),
                exemplar=exemplar,
                interval=target.get("interval") or _seconds(target) or panel.get("interval") or "",
                factor=int(target.get("intervalFactor") or 1),
                points=int(panel.get("maxDataPoints") or 1000),
                time_from=panel.get("timeFrom") or "",
                time_shift=panel.get("timeShift") or "",
            )


def _annotation_asks(content: Json) -> Iterator[Ask]:
    for annotation in (content.get("annotations") or {}).get("list") or ():
        target = annotation.get("target") or {}
        expression = annotation.get("expr") or target.get("expr")
        if expression and annotation.get("enable", True) and _of_prometheus(annotation, {}):
            yield Ask(
                panel=f"annotation {annotation.get('name')}",
                expression=expression,
                interval=annotation.get("step") or target.get("interval") or "60s",
            )


def _panels(content: Json) -> Iterator[Json]:
    """Yield all panels, also those in rows, of today's form and of that before Grafana 5."""
    for row in content.get("rows") or ():
        yield from row.get("panels") or ()
    for panel in content.get("panels") or ():
        yield panel
        yield from panel.get("panels") or ()


def _of_prometheus(asker: Json, panel: Json) -> bool:
    source = asker.get("datasource") or panel.get("datasource")
    if isinstance(source, Mapping):
        return source.get("type") in (None, "prometheus")
    return True


def _seconds(target: Json) -> str:
    return f"{target['step']}s" if target.get("step") else ""
