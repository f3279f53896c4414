"""Write points with the package `influxdb`, the client of InfluxDB 1, configured in `client.py`.

Reads batches of points, each with `measurement`, `tags`, `fields`, and `time` in milliseconds.
Prints a line for each batch: `stored`, or what the client raised.
"""

import json
from pathlib import Path

from client import client
from influxdb.exceptions import InfluxDBClientError

client.create_database("any")
assert client.ping()
for batch in json.loads(Path("batches.json").read_text()):
    try:
        client.write_points(batch, time_precision="ms")
    except InfluxDBClientError as error:
        print(f"{error}")
    else:
        print("stored")
