#!lua name=cave_metrics

-- Append a batch unless its idempotency key was used within the window.
-- KEYS: the partition's log, the key of the idempotency record.
-- ARGV: digest of the body, window in milliseconds, then the entry's fields and values.
-- Returns {event id, 0}, or {event id of the first batch, 1}; error CONFLICT for another body.
local function publish(keys, args)
  local seen = redis.call('GET', keys[2])
  if seen then
    local digest, id = string.match(seen, '^(%x+) (%S+)$')
    if digest ~= args[1] then
      return redis.error_reply('CONFLICT the idempotency key was used for another body')
    end
    return { id, 1 }
  end
  -- Should the log be no stream, then this, the first write, fails.
  local id = redis.call('XADD', keys[1], '*', unpack(args, 3))
  redis.call('SET', keys[2], args[1] .. ' ' .. id, 'PX', args[2])
  return { id, 0 }
end

redis.register_function('cave_metrics_publish', publish)
