-- Measures how far the consumers of completed orders are behind, and creates the stream if it is missing, so that a consumer
-- that creates its group without MKSTREAM can start before the first order.
--
-- KEYS[1]  order_completed, stream
--
-- Returns the number of entries that the slowest consumer group has not read; 0 without a group. If Redis does not know
-- the lag of a group (https://redis.io/docs/latest/commands/xinfo-groups/), it is the length of the stream.
-- Stream entries: none.
local stream = KEYS[1]

local TEMPORARY_GROUP = 'creates-the-stream'

local function field(group, name)
  for i = 1, #group, 2 do
    if group[i] == name then
      return group[i + 1]
    end
  end
end

if redis.call('EXISTS', stream) == 0 then
  redis.call('XGROUP', 'CREATE', stream, TEMPORARY_GROUP, '$', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', stream, TEMPORARY_GROUP)
  return 0
end

local slowest = 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  slowest = math.max(slowest, field(group, 'lag') or redis.call('XLEN', stream))
end
return slowest
