"""Read with the package `prometheus-api-client`, configured in `client.py`.

Reads the ends of a range, in seconds. Prints what each method returns, as JSON.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

from client import client

start, end = (datetime.fromtimestamp(int(text), UTC) for text in sys.argv[1:])

found = {
    "connected": client.check_prometheus_connection(),
    "metrics": client.all_metrics(),
    "labels": client.get_label_names(),
    "values": client.get_label_values("room"),
    "current": client.get_current_metric_value("demo_disk_size_bytes", {"device": "sda"}),
    "series": client.get_series(start, end, params={"match[]": "demo_disk_size_bytes"}),
    "query": client.custom_query("sum(demo_requests_total)", params={"time": end.timestamp()}),
    "range": client.custom_query_range("demo_requests_total", start, end, step="60"),
    "chunks": client.get_metric_range_data(
        "demo_disk_free_bytes", start_time=start, end_time=end, chunk_size=timedelta(minutes=10)
    ),
    "targets": client.get_targets(),
    "metadata": client.get_metric_metadata("demo_requests_total", limit_per_metric=1),
}
print(json.dumps(found))
