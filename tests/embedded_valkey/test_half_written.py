"""Recognizing the half-written end of a log, which may be cut off."""

import pytest

from adapters.embedded_valkey.torn_tail import is_half_written


def command(*arguments: bytes) -> bytes:
    """Return a command as encoded in the append-only file."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%s\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


XADD = command(b"XADD", b"s", b"1-1", b"field", b"some\r\nvalue")
MULTI = command(b"MULTI")
EXEC = command(b"EXEC")


@pytest.mark.parametrize("whole", [XADD, MULTI + XADD + XADD + EXEC], ids=["command", "multi"])
def test_every_prefix_of_a_command_or_transaction_is_half_written(whole: bytes) -> None:
    assert [n for n in range(1, len(whole)) if not is_half_written(whole[:n])] == []


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(XADD, id="a whole command"),
        pytest.param(XADD + XADD[:20], id="a whole command before"),
        pytest.param(MULTI + XADD + EXEC, id="a whole transaction"),
        pytest.param(MULTI + XADD + EXEC + XADD[:9], id="a whole transaction before"),
        pytest.param(MULTI + MULTI + XADD[:9], id="a transaction within another"),
        pytest.param(XADD.replace(b"$4", b"$4000", 1) + XADD, id="a damaged length"),
        pytest.param(XADD.replace(b"$5", b"$500", 1), id="a damaged length, last command"),
        pytest.param(XADD.replace(b"$5", b"$999999999", 1)[:50], id="an impossible length"),
        pytest.param(XADD.replace(b"*5", b"*9", 1) + XADD[:9], id="a damaged count"),
        pytest.param(b"\0" * 40, id="zeros"),
        pytest.param(XADD[:20] + b"\0" * 40, id="zeros from somewhere on"),
        pytest.param(b"*x", id="no number"),
        pytest.param(XADD[:-2] + b"xx", id="no line end"),
    ],
)
def test_nothing_else_is_half_written(tail: bytes) -> None:
    assert not is_half_written(tail)
