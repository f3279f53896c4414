"""Every format of points, by its name in the publish routes."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.point_formats.json.format import JsonFormat
from application.publishing.ports import PointFormat


def all_formats(max_points: int) -> Mapping[str, PointFormat]:
    """Return the formats; `max_points` is the maximum number of points in a body."""
    return {"json": JsonFormat(max_points)}
