"""After SIGKILL at any moment, every acknowledged entry is stored once."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import count
from threading import Thread, Timer

from redis.exceptions import RedisError

from tests.embedded_valkey.support import STREAM, Owned, connect, kill, wait_until

ROUNDS = 5
WRITERS = 3


def write_until_killed(url: str, numbers: Iterator[int], acknowledged: list[str]) -> None:
    padding = random.randbytes(2000)
    with connect(url) as client:
        for number in numbers:
            try:
                client.xadd(STREAM, {"value": number, "padding": padding.hex()})
            except RedisError:
                return
            acknowledged.append(str(number))


def test_each_acknowledged_entry_survives_exactly_once(owned: Owned) -> None:
    numbers = count()
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        owned.server.start()
        writers = [
            Thread(target=write_until_killed, args=(owned.server.url, numbers, acknowledged))
            for _ in range(WRITERS)
        ]
        pid = owned.server.pid
        killer = Timer(random.uniform(0.05, 0.3), kill, [pid])
        for thread in [*writers, killer]:
            thread.start()
        for thread in [*writers, killer]:
            thread.join()
        wait_until(lambda: owned.server.poll() is not None)
    owned.server.start()
    stored = Counter(owned.values())
    assert len(acknowledged) > ROUNDS
    assert Counter(acknowledged) <= stored
    assert set(stored.values()) == {1}
