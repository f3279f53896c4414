"""Write points with the package `influxdb-client`, the client of InfluxDB 2.

It is configured by the environment. Reads batches of points, each with `measurement`, `tags`,
`fields`, and `time` in milliseconds. Prints a line for each batch: `stored`, or what the client
raised.
"""

import json
from pathlib import Path

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

with InfluxDBClient.from_env_properties(enable_gzip=True) as client:
    assert client.ping()
    api = client.write_api(write_options=SYNCHRONOUS)
    for batch in json.loads(Path("batches.json").read_text()):
        try:
            api.write("any", record=batch, write_precision="ms")
        except ApiException as error:
            print(f"{error.status} {error.body!r}")
        else:
            print("stored")
