"""`python -m tests.benchmarks.decoding`: what decoding a body costs, in µs per point.

Twenty bodies of 1000 points, 200 hosts with five metrics, are decoded again and again. The formats
get the same points. The figure is the processor time of the best round; the first round, which
fills the memos, does not count.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from time import process_time_ns
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from adapters.point_formats.formats import all_formats
from adapters.point_formats.json.format import JsonFormat
from adapters.point_formats.reader_format import ReaderFormat
from adapters.point_formats.remote_write.scanning import ScanningReader, scanners
from adapters.point_formats.remote_write.version_1 import Version1Reader
from application.publishing.ports import BodyTerms
from tests.point_formats.otlp.requests import attribute, json_body, number, request
from tests.point_formats.remote_write.requests import (
    named,
    request_1,
    request_2,
    sample,
    series_1,
    series_2,
)

HOSTS, METRICS = 200, 5
BODIES = 20
ROUNDS = 15
SECOND = 1_700_000_000
TERMS = BodyTerms(2 * SECOND * 1000, SECOND * 1000, HOSTS * METRICS)


def main() -> None:
    formats = all_formats(HOSTS * METRICS)
    json_format = formats["json"]
    assert isinstance(json_format, JsonFormat)
    json_format.scanner.load()
    loading = scanners(HOSTS * METRICS)
    loading.load()
    formats = {
        **formats,
        "remote_write_1": ReaderFormat(lambda: ScanningReader(loading)),
        "without Numba": ReaderFormat(Version1Reader),
    }
    bodies = [_bodies(SECOND + 10 * index) for index in range(BODIES)]
    for name, point_format in formats.items():
        if name in bodies[0]:
            sent = [each[name] for each in bodies]
            best = min([_round(point_format.decode, sent) for _ in range(ROUNDS + 1)][1:])
            print(f"{name:<15}{len(sent[0]):>8} bytes{best:>8.2f} µs per point")


def _round(decode: object, sent: Sequence[bytes]) -> float:
    async def all_of_them() -> None:
        for body in sent:
            decoded = await decode(body, TERMS)  # type: ignore[operator]
            assert len(decoded.points) == HOSTS * METRICS

    start = process_time_ns()
    asyncio.run(all_of_them())
    return (process_time_ns() - start) / 1000 / len(sent) / HOSTS / METRICS


def _bodies(second: int) -> dict[str, bytes]:
    chance = random.Random(second)
    items: list[dict[str, Any]] = []
    metrics = []
    for index in range(METRICS):
        metric = Metric(name=f"http.server.metric{index}", unit="1", description="A metric.")
        for host in range(HOSTS):
            value = chance.uniform(0, 1000)
            tags = {"host": f"svc{host}.prod.iad", "region": "eu-west-1", "method": "GET"}
            items.append({"name": metric.name, "timestamp": second, "value": value, "tags": tags})
            attributes = [attribute(*tag) for tag in tags.items()]
            metric.gauge.data_points.append(
                number(as_double=value, time_unix_nano=second * 10**9, attributes=attributes)
            )
        metrics.append(metric)
    lines = [
        f"{item['name']},{','.join(f'{tag}={value}' for tag, value in item['tags'].items())} "
        f"value={item['value']} {second}\n"
        for item in items
    ]
    puts = [{"metric": item.pop("name"), **item} for item in map(dict, items)]
    kairos = [{**item, "timestamp": second * 1000} for item in items]
    series = [
        (
            named(item["name"].replace(".", "_"), **item["tags"]),
            sample(item["value"], second * 1000),
        )
        for item in items
    ]
    write_1 = request_1(*(series_1(*each) for each in series))
    described = (2, "A metric.", "1")
    otlp = request(*metrics, service__instance__id="6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    return {
        "json": json.dumps({"metrics": items}, separators=(",", ":")).encode(),
        "influx_3": "".join(lines).encode(),
        "opentsdb": json.dumps(puts, separators=(",", ":")).encode(),
        "kairosdb": json.dumps(kairos, separators=(",", ":")).encode(),
        "remote_write_1": write_1,
        "without Numba": write_1,
        "remote_write_2": request_2(*(series_2(*each, metadata=described) for each in series)),
        "otlp_protobuf": otlp.SerializeToString(),
        "otlp_json": json_body(otlp).replace(b", ", b",").replace(b": ", b":"),
    }


if __name__ == "__main__":
    main()
