from opentelemetry.exporter.prometheus_remote_write import PrometheusRemoteWriteMetricsExporter

exporter = PrometheusRemoteWriteMetricsExporter(
    endpoint="http://127.0.0.1:8000/organizations/gilt/prometheus/api/v1/write",
    headers={"Authorization": "Bearer cave_YOUR_TOKEN"},
)
