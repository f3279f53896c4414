#!lua name=cave_metrics

-- Records of idempotency keys are in hashes that stay small enough for the server's compact
-- encoding. See docs/event-format.md for the keys.
local SLICES = 4 -- per window
local BUCKETS = 64 -- of level 0; each level has eight times as many as the one below
local GROWTH = 8
local FILL = 128 -- records per bucket, on average, at which the next level begins
local MAX_SEQUENCE = 0xFFFFFF -- what a record has room for, and far more than a position has

local function buckets(level)
  return BUCKETS * GROWTH ^ level
end

-- Return the level that takes the next record of a slice with `count` records.
local function level_for(count, first)
  local level = first
  while count >= FILL * buckets(level) do
    level = level + 1
  end
  return level
end

-- Return the slices that may hold a record of the window, by number: {count, level}, where `level`
-- is that of the slice's first record.
local function read_slices(index, width, oldest)
  local slices = {}
  local found = redis.call('HGETALL', index)
  for i = 1, #found, 2 do
    local slice, what = string.match(found[i], '^(%d+)(.*)$')
    if (tonumber(slice) + 1) * width > oldest then
      slices[slice] = slices[slice] or { count = 0, level = 0 }
      slices[slice][what == '' and 'count' or 'level'] = tonumber(found[i + 1])
    end
  end
  return slices
end

local function bucket_key(index, slice, level, field)
  local bucket = struct.unpack('>I4', field) % buckets(level)
  return string.format('%s:%s:%d:%.0f', index, slice, level, bucket)
end

-- Return the body's digest, milliseconds and sequence of a record of the window, or nil.
local function find(index, slices, field, oldest)
  for slice, has in pairs(slices) do
    for level = has.level, level_for(has.count - 1, has.level) do
      local record = redis.call('HGET', bucket_key(index, slice, level, field), field)
      if record then
        local milliseconds, sequence = struct.unpack('>I6I3', record)
        if milliseconds > oldest then
          return string.sub(record, 10), milliseconds, sequence
        end
      end
    end
  end
end

-- Forget the slices that ended before the window; return the level of the new slice's first record,
-- so that it has as many buckets as the largest slice of the window needs.
local function begin_slice(index, slices, slice, expiry)
  local old = {}
  for _, name in ipairs(redis.call('HKEYS', index)) do
    if not slices[string.match(name, '^%d+')] then
      old[#old + 1] = name
    end
  end
  if #old > 0 then
    redis.call('HDEL', index, unpack(old))
  end
  local level = 0
  for _, has in pairs(slices) do
    level = math.max(level, level_for(has.count - 1, 0))
  end
  if level > 0 then
    redis.call('HSET', index, slice .. ':level', level)
  end
  redis.call('HSET', index, slice, 0)
  redis.call('PEXPIREAT', index, expiry)
  return level
end

local function milliseconds_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Return the answer for a key that was used within the window, else nil. Takes the arguments of
-- `publish`.
local function answer_again(keys, args, index, slices, oldest)
  local field, body = args[3], args[4]
  local digest, milliseconds, sequence = find(index, slices, field, oldest)
  if digest then
    if digest ~= string.sub(body, 1, 12) then
      return redis.error_reply('CONFLICT the idempotency key was used for another body')
    end
    return { string.format('%.0f-%.0f', milliseconds, sequence), 1 }
  end
  local earlier = redis.call('GET', keys[2] .. ':' .. args[5])
  if earlier then
    local id = string.match(earlier, ' (%S+)$')
    local hex = string.gsub(body, '.', function(c) return string.format('%02x', string.byte(c)) end)
    if string.match(earlier, '^%x+') ~= hex then
      return redis.error_reply('CONFLICT the idempotency key was used for another body')
    end
    return { id, 1 }
  end
end

-- Append a batch unless its idempotency key was used within the window.
-- KEYS: the partition's log, the base of the keys of its idempotency records.
-- ARGV: window in milliseconds; the most records that the partition may have; 12 bytes that
-- identify organization and key; SHA-256 of the body; the rest of the key of a record of release
-- 0.1.0; then the entry's fields and values.
-- Returns {event id, 0}, or {event id of the first batch, 1}; error CONFLICT for another body,
-- error FULL if there is no record of the key and no room for one. Errors write nothing.
local function publish(keys, args)
  local window, allowed, field, body = tonumber(args[1]), tonumber(args[2]), args[3], args[4]
  local now = milliseconds_now()
  local oldest, width = now - window, window / SLICES
  local index = keys[2] .. ':' .. args[1]
  local slices = read_slices(index, width, oldest)
  local known = answer_again(keys, args, index, slices, oldest)
  if known then
    return known
  end
  local records = 0
  for _, has in pairs(slices) do
    records = records + has.count
  end
  if records >= allowed then
    return redis.error_reply('FULL there is no room for another idempotency key')
  end
  -- Should the log be no stream, then this, the first write, fails.
  local id = redis.call('XADD', keys[1], '*', unpack(args, 6))
  local slice = string.format('%.0f', math.floor(now / width))
  local expiry = string.format('%.0f', math.ceil((math.floor(now / width) + 1) * width + window))
  local has = slices[slice]
  if not has then
    has = { count = 0, level = begin_slice(index, slices, slice, expiry) }
  end
  redis.call('HINCRBY', index, slice, 1)
  local bucket = bucket_key(index, slice, level_for(has.count, has.level), field)
  local at, number = string.match(id, '^(%d+)-(%d+)$')
  number = math.min(tonumber(number), MAX_SEQUENCE)
  redis.call('HSET', bucket, field, struct.pack('>I6I3', at, number) .. string.sub(body, 1, 12))
  redis.call('PEXPIREAT', bucket, expiry, 'NX')
  return { id, 0 }
end

-- Answer as `publish` does for a key that was used within the window, else with nil.
-- KEYS and ARGV: those of `publish`, without the entry. Also for a server that is out of memory.
local function recall(keys, args)
  local window = tonumber(args[1])
  local oldest = milliseconds_now() - window
  local index = keys[2] .. ':' .. args[1]
  return answer_again(keys, args, index, read_slices(index, window / SLICES, oldest), oldest) or false
end

redis.register_function('cave_metrics_publish', publish)
redis.register_function {
  function_name = 'cave_metrics_recall', callback = recall, flags = { 'no-writes' }
}
