"""OTLP/HTTP metrics, protobuf and JSON (OpenTelemetry Protocol Specification, "OTLP/HTTP").

`rules` says which points a metric becomes, `attributes` which tags. `protobuf` and `json` read
bodies: the points of gauges and sums by a short way, everything else by the rules.
"""
