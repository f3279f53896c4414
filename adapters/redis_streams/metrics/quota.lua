#!lua name=cave_quota

-- Take points from a token bucket, unless it is empty.
-- KEYS: the bucket, a hash of its `level` in points and the time of that level, `at`, in seconds.
-- ARGV: points to take, which may overdraw it; points to take beside them, which may not; points
-- per second that it fills with; points that it holds when full.
-- Returns, as texts: how many of the second were taken; 0, or if nothing was taken the seconds until
-- it is not empty.
local function take(keys, args)
  local points, ahead = tonumber(args[1]), tonumber(args[2])
  local rate, burst = tonumber(args[3]), tonumber(args[4])
  local time = redis.call('TIME')
  local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
  local found = redis.call('HMGET', keys[1], 'level', 'at')
  local level = burst
  if found[1] then
    local passed = math.max(0, now - tonumber(found[2]))
    level = math.min(burst, tonumber(found[1]) + passed * rate)
  end
  if level <= 0 then
    return { '0', string.format('%.6f', math.max(-level / rate, 0.000001)) }
  end
  level = level - points
  local more = math.min(math.max(level, 0), ahead)
  level = level - more
  redis.call('HSET', keys[1], 'level', string.format('%.17g', level), 'at', string.format('%.6f', now))
  -- A bucket that is full again need not be kept.
  local full = math.min((burst - level) / rate, 1000000000)
  redis.call('PEXPIRE', keys[1], string.format('%.0f', math.ceil(full * 1000) + 1000))
  return { string.format('%.17g', more), '0' }
end

redis.register_function {
  function_name = 'cave_quota_take', callback = take, flags = { 'allow-oom' }
}
