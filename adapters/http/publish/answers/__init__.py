"""Answers to publish requests, each protocol's own."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.http.publish.answers import influx, json, kairosdb, opentsdb, otlp, remote_write
from adapters.http.publish.answers.ports import Answers

ANSWERS: Mapping[str, Answers] = {
    "json": json.JsonAnswers(),
    "otlp": otlp.OtlpAnswers(),
    "influx": influx.InfluxAnswers(),
    "opentsdb": opentsdb.OpenTsdbAnswers(),
    "kairosdb": kairosdb.KairosAnswers(),
    "remote_write": remote_write.RemoteWriteAnswers(),
}
"""The answers of each protocol, by its name in `adapters.http.publish.routes`."""
