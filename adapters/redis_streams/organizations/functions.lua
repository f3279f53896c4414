#!lua name=cave_events

-- A function never rolls back: each one checks all it can before it writes. Without the flag
-- allow-oom, a server that is out of memory refuses it as a whole. With it, the server runs it to
-- its end, however much memory that takes.

local FIELDS = 5

local function conflict(text)
  return redis.error_reply('CONFLICT ' .. text)
end

-- Decimal integers of up to 64 bits: too wide for a Lua number.
local function less(a, b)
  return #a < #b or (#a == #b and a < b)
end

local function follows(index, text, seen)
  local version = tonumber(text)
  local previous = seen[index]
  if not previous then
    local newest = redis.call('ZRANGE', index, 0, 0, 'REV', 'WITHSCORES')[2]
    previous = newest and tonumber(newest)
  end
  seen[index] = version
  if previous then
    return version == previous + 1
  end
  return version == 0 or version == 1
end

local function is_new(index, version, seen)
  local known = index .. ' ' .. version
  if seen[known] or redis.call('ZCOUNT', index, version, version) > 0 then
    return false
  end
  seen[known] = true
  return true
end

-- Append events and advance tracking, all of it or nothing.
-- KEYS: log, tracking, then the index of each originator.
-- ARGV: 'consecutive' or 'any' (the rule for versions), upstream application, its notification id
--   or '', then for each event the number of its index in KEYS, id, version, topic, state.
-- Returns the first event's notification id, the others' follow; 0 without events.
local function record(keys, args)
  local log, tracking, upstream, position = keys[1], keys[2], args[2], args[3]
  if position ~= '' then
    local last = redis.call('HGET', tracking, upstream)
    if last and not less(last, position) then
      return conflict('tracking of ' .. upstream .. ' is at ' .. last)
    end
  end
  local admits = args[1] == 'consecutive' and follows or is_new
  local seen = {}
  for i = 4, #args, FIELDS do
    if not admits(keys[tonumber(args[i])], args[i + 2], seen) then
      return conflict('version ' .. args[i + 2] .. ' of ' .. args[i + 1] .. ' cannot be recorded')
    end
  end

  local first = 0
  for i = 4, #args, FIELDS do
    -- Should the log be no stream of ours, then this, the first write of all, fails.
    local id = redis.call('XADD', log, '0-*', 'id', args[i + 1], 'version', args[i + 2],
      'topic', args[i + 3], 'state', args[i + 4])
    local position_in_log = string.sub(id, 3)
    redis.call('ZADD', keys[tonumber(args[i])], args[i + 2], position_in_log)
    if first == 0 then
      first = tonumber(position_in_log)
    end
  end
  if position ~= '' then
    redis.call('HSET', tracking, upstream, position)
  end
  return first
end

-- Read one page of an originator's entries.
-- KEYS: index, log. ARGV: lowest and highest version as ZRANGE takes them, 'asc' or 'desc', count.
-- Returns entries as XRANGE does.
local function select(keys, args)
  local ids
  if args[3] == 'asc' then
    ids = redis.call('ZRANGE', keys[1], args[1], args[2], 'BYSCORE', 'LIMIT', 0, args[4])
  else
    ids = redis.call('ZRANGE', keys[1], args[2], args[1], 'BYSCORE', 'REV', 'LIMIT', 0, args[4])
  end
  local entries = {}
  for i, id in ipairs(ids) do
    local found = redis.call('XRANGE', keys[2], '0-' .. id, '0-' .. id)
    if not found[1] then
      return redis.error_reply('CORRUPT ' .. keys[1] .. ' names entry 0-' .. id .. ', which is not in '
        .. keys[2])
    end
    entries[i] = found[1]
  end
  return entries
end

redis.register_function('cave_events_record', record)
redis.register_function {
  function_name = 'cave_events_record_when_full', callback = record, flags = { 'allow-oom' }
}
redis.register_function {
  function_name = 'cave_events_select', callback = select, flags = { 'no-writes' }
}
