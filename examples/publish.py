"""Publish a batch of points safely: retried if necessary, stored only once.

    CAVE_URL=http://127.0.0.1:8000 CAVE_TOKEN=… python publish.py ORGANIZATION

Prints the batch's receipt. Needs only Python's standard library. Copy it and make it yours.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("CAVE_URL", "http://127.0.0.1:8000")
TOKEN = os.environ["CAVE_TOKEN"]
ATTEMPTS = 8


def publish(organization: str, points: list[dict]) -> str:
    """Publish points and return the receipt. Raises OSError if they are refused or time is up."""
    request = urllib.request.Request(
        f"{URL}/organizations/{organization}/metrics",
        data=json.dumps({"metrics": points}).encode(),
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            # One key per batch, the same for each attempt: if the answer to an attempt was lost,
            # the next one gets the first receipt and nothing is stored twice.
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    for attempt in range(ATTEMPTS):
        wait = random.uniform(0, min(10, 0.2 * 2**attempt))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.headers["Cave-Receipt"]
        except urllib.error.HTTPError as error:
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
    now = int(time.time())
    tags = {"host": "svc12.prod.iad", "service": "svc-important"}
    print(
        publish(
            sys.argv[1],
            [
                {"name": "http.cache.hits", "timestamp": now, "value": 123, "tags": tags},
                {"name": "http.cache.misses", "timestamp": now, "value": 12, "tags": tags},
            ],
        )
    )
