-- Sends the requests of a prepared file (see prepared.py) in order, again and again, each time with
-- all times advanced, so that no body is ever sent twice. Arguments: the file, and the number of
-- requests per second, 0 for as many as are answered.
local ffi = require("ffi")
ffi.cdef [[
struct pace_time { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct pace_time *time);
]]
local CLOCK_MONOTONIC = 1

local data, requests, span
local texts, sent, shift = {}, 0, 0

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  data = ffi.new("uint8_t[?]", #content)
  ffi.copy(data, content, #content)
  local numbers = ffi.cast("uint32_t *", data)
  span = numbers[1]
  requests = {}
  local at = 2
  for i = 1, numbers[0] do
    local length, points = numbers[at], numbers[at + 1]
    local places = numbers + at + 2
    at = at + 2 + 2 * points
    requests[i] = { length = length, points = points, places = places,
                    text = ffi.cast("uint8_t *", numbers + at) }
    at = at + math.ceil(length / 4)
  end
end

local function text_of(second)
  local text = texts[second]
  if not text then
    text = string.format("%010d", second)
    texts[second] = text
  end
  return text
end

function request()
  if sent == #requests then
    sent, shift, texts = 0, shift + span, {}
  end
  sent = sent + 1
  local chosen = requests[sent]
  local text, places = chosen.text, chosen.places
  for i = 0, chosen.points - 1 do
    ffi.copy(text + places[2 * i], text_of(places[2 * i + 1] + shift), 10)
  end
  return ffi.string(text, chosen.length)
end

local clock = ffi.new("struct pace_time")

local function now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, clock)
  return tonumber(clock.seconds) * 1e3 + tonumber(clock.nanoseconds) / 1e6
end

-- The next free connection takes the next slot of a single even schedule.
local function paced(rate)
  local due
  return function()
    local time = now()
    due = (due or time) + 1e3 / rate
    return math.max(0, math.floor(due - time + 0.5))
  end
end

function init(arguments)
  read(arguments[1])
  local rate = tonumber(arguments[2])
  if rate > 0 then
    delay = paced(rate)
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"late":%d,' ..
    '"p50":%g,"p90":%g,"p99":%g,"p999":%g,"max":%g}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max))
end
