"""The parts of the benchmark, one module per part, with a function that adds to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.benchmarks.bench import Bench
from tests.benchmarks.parts import (
    archive,
    busy,
    cardinality,
    end_to_end,
    export,
    latency,
    log_format,
    memory,
    promql,
    protocols,
    publish,
    query,
    replay,
    sizing,
    workers,
)

PARTS: Mapping[str, Callable[[Bench], None]] = {
    "publish": publish.run,
    "protocols": protocols.run,
    "end-to-end": end_to_end.run,
    "latency": latency.run,
    "busy": busy.run,
    "workers": workers.run,
    "replay": replay.run,
    "archive": archive.run,
    "log": log_format.run,
    "query": query.run,
    "promql": promql.run,
    "cardinality": cardinality.run,
    "export": export.run,
    "memory": memory.run,
    "sizing": sizing.run,
}
