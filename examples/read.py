"""Read a metric: its last points and its maximum per minute, including your own batch.

    CAVE_URL=http://127.0.0.1:8000 CAVE_TOKEN=… python read.py ORGANIZATION METRIC [RECEIPT]

The token needs the scope `read`. RECEIPT is what publish.py prints: the answer then includes that
batch. Needs only Python's standard library. Copy it and make it yours.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("CAVE_URL", "http://127.0.0.1:8000")
TOKEN = os.environ["CAVE_TOKEN"]
ATTEMPTS = 8


def read(organization: str, **parameters: str) -> list[dict]:
    """Return points or, with `aggregator` and `period`, one value per bucket, oldest first.

    Raises OSError if the query is refused or time is up.
    """
    query = urllib.parse.urlencode(parameters)
    request = urllib.request.Request(
        f"{URL}/organizations/{organization}/metrics?{query}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    for attempt in range(ATTEMPTS):
        wait = random.uniform(0, min(10, 0.2 * 2**attempt))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["metrics"]
        except urllib.error.HTTPError as error:
            # 503 is also the answer while a receipt's batch cannot be read yet.
            passes = error.code in (429, 500, 502, 503, 504)
            if not passes or attempt == ATTEMPTS - 1:
                print(error.read().decode(errors="replace"), file=sys.stderr)
                raise
            wait = max(wait, int(error.headers.get("Retry-After", 0)))
        except (OSError, http.client.HTTPException):  # no connection, or it was lost
            if attempt == ATTEMPTS - 1:
                raise
        time.sleep(wait)
    raise AssertionError("unreachable")


if __name__ == "__main__":
    organization, metric, *receipt = sys.argv[1:]
    own_write = {"receipt": receipt[0]} if receipt else {}
    print("points")
    for point in read(organization, metric=metric, limit="5", **own_write):
        print(f"  {point['time']}  {point['value']:g}")
    print("maximum per minute")
    for bucket in read(organization, metric=metric, aggregator="max", period="1m", limit="5"):
        print(f"  {bucket['time']}  {bucket['value']:g}")
