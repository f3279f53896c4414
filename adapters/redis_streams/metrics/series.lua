#!lua name=cave_series

-- An organization's active series are the members of two sets, of today and of yesterday. A member
-- is moved to today's when its series has points again, so it is in one of them only.
local DAY = 86400000
local WIDTH = 12 -- bytes of a member
local STEP = 4000 -- members per command: `unpack` has a limit

local function window(base, day)
  return string.format('%s:%.0f', base, day)
end

-- Return the number of the UTC day, and the milliseconds that are left of it.
local function today()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local day = math.floor(now / DAY)
  return day, (day + 1) * DAY - now
end

-- Call a command with a key and any number of members, and return its replies for each of these.
local function each(command, key, members)
  local replies = {}
  for first = 1, #members, STEP do
    local last = math.min(first + STEP - 1, #members)
    local reply = redis.call(command, key, unpack(members, first, last))
    if type(reply) == 'table' then
      for i = 1, #reply do
        replies[#replies + 1] = reply[i]
      end
    end
  end
  return replies
end

-- Note that series have points now: all that are active, and new ones while there is room.
-- KEYS: the base of the keys of the organization's sets.
-- ARGV: the limit; 1 to note none unless all are admitted, else 0; the members, one after another.
-- Returns how many series are active now, the milliseconds that are left of the day, those until a
-- series may leave, 1 if the members were noted, and a list of the indices (from 0) of those that
-- have no room.
local function admit(keys, args)
  local limit, whole, packed = tonumber(args[1]), args[2] == '1', args[3]
  local day, left = today()
  local current, former = window(keys[1], day), window(keys[1], day - 1)
  local members = {}
  for first = 1, #packed, WIDTH do
    members[#members + 1] = string.sub(packed, first, first + WIDTH - 1)
  end
  local absent, indices = {}, {}
  for i, found in ipairs(each('SMISMEMBER', current, members)) do
    if found == 0 then
      absent[#absent + 1] = members[i]
      indices[#indices + 1] = i - 1
    end
  end
  local of_former = redis.call('SCARD', former)
  local active = redis.call('SCARD', current) + of_former
  local moved, added, refused = {}, {}, {}
  for i, found in ipairs(each('SMISMEMBER', former, absent)) do
    if found == 1 then
      moved[#moved + 1] = absent[i]
    elseif active + #added < limit then
      added[#added + 1] = absent[i]
    else
      refused[#refused + 1] = indices[i]
    end
  end
  local noted = 0
  if not (whole and #refused > 0) then
    noted = 1
    each('SADD', current, moved)
    each('SADD', current, added)
    each('SREM', former, moved)
    active = active + #added
    of_former = of_former - #moved
    if #moved + #added > 0 then
      -- An hour more than needed: sets may be large, and UNLINK frees them beside other commands.
      redis.call('PEXPIREAT', current, string.format('%.0f', (day + 2) * DAY + 3600000), 'NX')
      redis.call('UNLINK', window(keys[1], day - 2))
    end
  end
  local wait = of_former > 0 and left or left + DAY
  return { active, left, wait, noted, refused }
end

local function count(keys, args)
  local day = today()
  return redis.call('SCARD', window(keys[1], day)) + redis.call('SCARD', window(keys[1], day - 1))
end

redis.register_function('cave_series_admit', admit)
redis.register_function {
  function_name = 'cave_series_count', callback = count, flags = { 'no-writes' }
}
