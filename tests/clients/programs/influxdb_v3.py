"""Write points with the package `influxdb3-python`, configured in `client.py`.

Reads batches of points, each with `measurement`, `tags`, `fields`, and `time` in milliseconds.
Prints a line for each batch: `stored`, or what the client raised.
"""

import json
from pathlib import Path

from client import client
from influxdb_client_3.exceptions import InfluxDBError

for batch in json.loads(Path("batches.json").read_text()):
    try:
        client.write(batch, write_precision="ms")
    except InfluxDBError as error:
        print(f"{error}".replace("\n", " "))
    else:
        print("stored")
