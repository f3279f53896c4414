from prometheus_api_client import PrometheusConnect

client = PrometheusConnect(
    url="http://127.0.0.1:8000/organizations/gilt/prometheus",
    headers={"Authorization": "Bearer cave_YOUR_TOKEN"},
)
