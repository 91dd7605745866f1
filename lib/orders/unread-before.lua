#!lua flags=no-writes,allow-key-locking
-- Finds which of the oldest completed orders can be trimmed from the stream, and who has not read them.
--
-- KEYS[1]  order_completed, stream
-- ARGV[1]  how many entries the stream keeps
-- ARGV[2]  the most entries to look at
--
-- Returns {id, count, {{group, unread}, …}}: the first entry to keep, how many are before it, and for each consumer group that has
-- not read all of those how many it has not read. The id is '' and the count 0 if the stream has nothing to trim.
-- It only reads, so it may run twice: trimming is a command of its own (XTRIM MINID).
-- Stream entries: none.
local stream = KEYS[1]
local keep, most = tonumber(ARGV[1]), tonumber(ARGV[2])

local function id_parts(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function is_after(id, other)
  local ms, sequence = id_parts(id)
  local other_ms, other_sequence = id_parts(other)
  return ms > other_ms or (ms == other_ms and sequence > other_sequence)
end

local function field(group, name)
  for i = 1, #group, 2 do
    if group[i] == name then
      return group[i + 1]
    end
  end
end

local count = math.min(redis.call('XLEN', stream) - keep, most)
if count <= 0 then
  return { '', 0, {} }
end

local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', count + 1)
local unread_by_group = {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local last_id, unread = field(group, 'last-delivered-id'), 0
  for i = 1, count do
    if is_after(entries[i][1], last_id) then
      unread = count - i + 1
      break
    end
  end
  if unread > 0 then
    table.insert(unread_by_group, { field(group, 'name'), unread })
  end
end
return { entries[count + 1][1], count, unread_by_group }
