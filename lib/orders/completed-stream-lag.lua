#!lua flags=allow-key-locking
-- Measures how far the consumers of completed orders are behind, and creates the stream if it is missing, so that a consumer
-- that creates its group without MKSTREAM can start before the first order.
--
-- KEYS[1]  order_completed, stream
--
-- Returns how many entries the slowest consumer group has not read, or has read and not acknowledged; 0 without a group.
-- What was trimmed before the group read it is not counted. No group is changed.
-- The number is exact for a group that has fewer than 5,000 entries after or before its position. Between, it may be too high, by
-- no more than what was trimmed unread and never above the length of the stream less 5,000.
-- Stream entries: none.
local stream = KEYS[1]

local TEMPORARY_GROUP = 'creates-the-stream'

-- Counting means reading, which takes about 3 µs per entry and blocks the stream.
local MAX_COUNTED = 5000
local CHUNK = 1000

local function field(group, name)
  for i = 1, #group, 2 do
    if group[i] == name then
      return group[i + 1]
    end
  end
end

-- How many entries `command` finds from an id to an end of the stream, MAX_COUNTED at most.
local function count(command, from, to)
  local counted = 0
  while counted < MAX_COUNTED do
    local entries = redis.pcall(command, stream, from, to, 'COUNT', CHUNK)
    -- Nothing can be after the highest id, and Redis says so with an error.
    if entries.err then
      return counted
    end
    counted = counted + #entries
    if #entries < CHUNK then
      return counted
    end
    from = '(' .. entries[#entries][1]
  end
  return counted
end

-- Redis's own `lag` is missing for some groups, and stays too high by what was trimmed unread (redis/redis#13957).
local function unread(group)
  local last = field(group, 'last-delivered-id')
  local after = count('XRANGE', '(' .. last, '+')
  if after < MAX_COUNTED then
    return after
  end
  local length = redis.call('XLEN', stream)
  local before = count('XREVRANGE', last, '-')
  if before < MAX_COUNTED then
    return length - before
  end
  return math.max(after, math.min(field(group, 'lag') or length, length - before))
end

-- EXISTS only after an error: Upstash would bill it once a minute.
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err and redis.call('EXISTS', stream) == 0 then
  redis.call('XGROUP', 'CREATE', stream, TEMPORARY_GROUP, '$', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', stream, TEMPORARY_GROUP)
  return 0
elseif groups.err then
  error(groups)
end

local slowest = 0
for _, group in ipairs(groups) do
  slowest = math.max(slowest, unread(group) + field(group, 'pending'))
end
return slowest
