"""Write points with the package `influxdb-client` in batches of its own, tried again if need be.

It is configured by the environment. Reads batches as `influxdb_v2.py` does, and writes their points
one by one. Prints a line for each of the client's batches: `stored`, or what the client raised.
"""

import json
import time
from pathlib import Path

from influxdb_client import InfluxDBClient, WriteOptions


def stored(*_: object) -> None:
    print("stored", flush=True)


def failed(_: object, __: str, error: Exception) -> None:
    print(f"{error}", flush=True)


options = WriteOptions(batch_size=10, retry_interval=500, max_retry_delay=2000, max_retries=30)
with (
    InfluxDBClient.from_env_properties() as client,
    client.write_api(options, success_callback=stored, error_callback=failed) as api,
):
    for batch in json.loads(Path("batches.json").read_text()):
        for point in batch:
            api.write("any", record=point, write_precision="ms")
            time.sleep(0.005)
