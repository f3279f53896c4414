"""The contestants."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.contestants.base import Contestant
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.contestants.empty import Empty
from tests.benchmarks.contestants.influxdb import InfluxDB
from tests.benchmarks.contestants.prometheus import Prometheus
from tests.benchmarks.contestants.victoria_metrics import (
    VictoriaMetricsImport,
    VictoriaMetricsPut,
)

DATABASES: Sequence[Contestant] = (
    Cave(),
    VictoriaMetricsPut(),
    VictoriaMetricsImport(),
    InfluxDB(),
)
PUBLISHING: Sequence[Contestant] = (*DATABASES, Empty())
ALL: Sequence[Contestant] = (*PUBLISHING, Prometheus())
