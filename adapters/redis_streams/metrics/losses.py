"""Losses of the log's end: acknowledged events that a server has not, as after a promotion.

Whoever finds one records it on the server, so that every process knows it. A partition has a hash
for that: `history` is the server's history, as of the last connection for appends, and `began` the
last id that the log had when that was another one. Each loss is a field: its name is the first id
that may be missing, and its value the last one that is known to be missing, with ` accepted` behind
it once an operator has accepted the loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from application.event_log.ports import Lost
from application.event_log.receipts import Receipt

_log = structlog.get_logger(__name__)

ACCEPTED = b" accepted"
HISTORY = b"history"
NO_LOSSES = {HISTORY, b"began"}

_NEWEST = """
local newest = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      newest = info[i + 1]
    end
  end
end
"""

BEGIN = f"""#!lua flags=allow-oom
if redis.call('HGET', KEYS[2], 'history') ~= ARGV[1] then
  {_NEWEST}
  redis.call('HSET', KEYS[2], 'history', ARGV[1], 'began', newest)
end
"""
"""A script. KEYS: a partition's log, its end. ARGV: the server's history.

Keeps the last id that the log had at the beginning of the server's history. Everything that appends
calls it before, so that later ids are those of later events, which a lost one may lie between.
"""

NOTE = f"""#!lua flags=allow-oom
local lost = ARGV[1]

local function less(a, b)
  local ams, aseq = string.match(a, '^(%d+)-(%d+)$')
  local bms, bseq = string.match(b, '^(%d+)-(%d+)$')
  if ams ~= bms then
    return tonumber(ams) < tonumber(bms)
  end
  return tonumber(aseq) < tonumber(bseq)
end

{_NEWEST}
local before = redis.call('XREVRANGE', KEYS[1], '(' .. lost, '-', 'COUNT', 1)[1]
before = before and before[1] or '0-0'
local began = redis.call('HMGET', KEYS[2], 'history', 'began')
if began[1] == ARGV[2] and less(began[2], lost) then
  before = began[2]
elseif less(newest, lost) then
  before = newest
end
if less(newest, lost) then
  -- Later events get ids above the lost ones, whatever the server's clock shows.
  if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('XSETID', KEYS[1], lost)
  else
    redis.call('XADD', KEYS[1], lost, '', '')
    redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
    redis.call('XSETID', KEYS[1], lost, 'ENTRIESADDED', 0)
  end
end
local ms, seq = string.match(before, '^(%d+)-(%d+)$')
local first = string.format('%s-%.0f', ms, tonumber(seq) + 1)
local known = redis.call('HGET', KEYS[2], first)
if not known or less(string.match(known, '^%S+'), lost) then
  redis.call('HSET', KEYS[2], first, lost)
end
return first
"""
"""A script. KEYS: a partition's log, its end. ARGV: the id of an event that is missing, and the
server's history.

Records that it is lost, and every event between it and the end that the log had at the beginning of
that history, or else the one before it. Returns the first id that may be missing. Also for a server
that is out of memory.
"""

ACCEPT = """#!lua flags=allow-oom
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' accepted')
end
"""
"""A script. KEYS: a partition's end. ARGV: the first and the last id of the loss to accept."""


def report_lost(partition: int, first: bytes, last: Receipt) -> None:
    """Log a loss that was just noted, from the id `first` on."""
    _log.error(
        "acknowledged events are lost: the log server does not have them",
        partition=partition,
        first=str(Receipt.of(partition, first)),
        last=str(last),
    )


def losses_of(partition: int, records: Mapping[bytes, bytes]) -> tuple[Lost, ...]:
    """Return the losses in a partition's hash that nobody has accepted, in order."""
    return tuple(sorted(_losses(partition, records), key=lambda lost: lost.first))


def _losses(partition: int, records: Mapping[bytes, bytes]) -> Iterable[Lost]:
    for first, last in records.items():
        if first not in NO_LOSSES and not last.endswith(ACCEPTED):
            yield Lost(Receipt.of(partition, first), Receipt.of(partition, last))
