"""Answers to publish requests, each protocol's own."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.http.publish.answers import json, otlp
from adapters.http.publish.answers.ports import Answers

ANSWERS: Mapping[str, Answers] = {
    "json": json.JsonAnswers(),
    "otlp": otlp.OtlpAnswers(),
}
"""The answers of each protocol, by its name in `adapters.http.publish.routes`."""
