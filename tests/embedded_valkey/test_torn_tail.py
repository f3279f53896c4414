"""A command half written before a kill or power cut is cut off; other damage is refused."""

import os
import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.embedded_valkey import LogCorrupt
from tests.embedded_valkey.support import Owned, connect


def copies(owned: Owned) -> list[Path]:
    return list(owned.last_file.parent.glob("*.torn-*"))


@pytest.mark.parametrize("cut", [1, 30, 70, 110])
def test_a_torn_command_is_cut_off_into_a_copy_and_everything_before_it_remains(
    owned: Owned, cut: int
) -> None:
    owned.append(range(5))
    whole = owned.last_file.read_bytes()
    os.truncate(owned.last_file, len(whole) - cut)
    with capture_logs() as logs:
        owned.server.start()
    assert owned.values() == ["0", "1", "2", "3"]
    (copy,) = copies(owned)
    sound = owned.last_file.read_bytes()
    assert sound + copy.read_bytes() == whole[:-cut]
    (warning,) = (entry for entry in logs if entry["log_level"] == "warning")
    assert (warning["bytes"], warning["copy"]) == (copy.stat().st_size, str(copy))


@pytest.mark.parametrize("cut", [3, 20, 150])
def test_a_torn_transaction_is_cut_off_completely(owned: Owned, cut: int) -> None:
    owned.append(range(2))
    owned.append(range(2, 5), transaction=True)
    os.truncate(owned.last_file, owned.last_file.stat().st_size - cut)
    owned.server.start()
    assert owned.values() == ["0", "1"]


def test_a_torn_function_call_is_cut_off_completely(owned: Owned) -> None:
    owned.server.start()
    with connect(owned.server.url) as client:
        client.function_load(
            "#!lua name=twice\nredis.register_function('twice', function(keys, args)\n"
            "for _ = 1, 2 do redis.call('XADD', keys[1], '*', 'value', args[1]) end end)"
        )
        client.fcall("twice", 1, "stream", "a")
        client.fcall("twice", 1, "stream", "b")
    owned.server.stop()
    os.truncate(owned.last_file, owned.last_file.stat().st_size - 25)
    owned.server.start()
    assert owned.values() == ["a", "a"]


def test_writing_continues_after_a_cut(owned: Owned) -> None:
    owned.append(["a", "b"])
    os.truncate(owned.last_file, owned.last_file.stat().st_size - 10)
    owned.append(["c"])
    os.truncate(owned.last_file, owned.last_file.stat().st_size - 10)
    owned.append(["d"])
    owned.server.start()
    assert owned.values() == ["a", "d"]
    assert len(copies(owned)) == 2


def test_bad_bytes_in_the_middle_are_refused_with_their_position(owned: Owned) -> None:
    owned.append(range(20))
    content = bytearray(owned.last_file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    start = content.rindex(b"*7\r\n", 0, len(content) // 2)
    content[start : start + 2] = b"\0\0"
    owned.last_file.write_bytes(content)
    with pytest.raises(LogCorrupt, match=rf"incr\.aof is damaged after byte {start} ") as caught:
        owned.server.start()
    assert "nothing was changed" in str(caught.value)
    assert owned.last_file.read_bytes() == content
    assert copies(owned) == []
    assert owned.server.poll() is not None


def test_a_damaged_length_that_looks_like_a_torn_end_is_refused(owned: Owned) -> None:
    """The server's own repair would cut 19 acknowledged entries here."""
    owned.append(range(20))
    whole = owned.last_file.read_bytes()
    damaged = re.sub(rb"\$40\r\n", b"$40000\r\n", whole, count=1)
    owned.last_file.write_bytes(damaged)
    with pytest.raises(LogCorrupt, match="more than one half-written command"):
        owned.server.start()
    assert owned.last_file.read_bytes() == damaged
    assert copies(owned) == []


def test_a_torn_file_that_is_followed_by_others_is_refused(owned: Owned) -> None:
    owned.append(range(3))
    torn = owned.last_file.read_bytes()[:-10]
    owned.last_file.write_bytes(torn)
    manifest = owned.last_file.with_name("appendonly.aof.manifest")
    with manifest.open("a") as file:
        file.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    owned.last_file.with_name("appendonly.aof.2.incr.aof").write_bytes(torn[:23])
    with pytest.raises(LogCorrupt, match=r"followed by appendonly\.aof\.2\.incr\.aof"):
        owned.server.start()
    assert owned.last_file.read_bytes() == torn
