"""The codec of the metric log."""

from __future__ import annotations

from adapters.event_format.codec import MetricEventCodec

CODEC = MetricEventCodec()
