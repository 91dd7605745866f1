-- Hands out the next batch of refund requests: first those that another run left pending, then new ones.
-- Only the ids and pks come back, so that a request of any size or bytes costs the poller nothing.
--
-- KEYS[1]  refund_order, stream (made if it is not there, with the group, from its beginning)
-- ARGV     group, consumer, min_idle (ms), count, cursor ('0-0' to begin reclaiming, '' when that is done)
--
-- Returns {cursor, {{id, pk}, …}}: the cursor of the next call, and the entries, now pending for the consumer.
-- An entry's pk is null where the entry has none, and cut after 27 bytes, which no pk has.
-- Run twice, the second run hands out the batch after; the first batch stays pending until it is reclaimed.
-- Stream entries: none written; XAUTOCLAIM drops pending entries that were trimmed from the stream.
local stream = KEYS[1]
local group, consumer, min_idle, count, cursor = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local BEGIN, DONE = '0-0', ''
-- XAUTOCLAIM looks at 10 × COUNT pending entries a call; a script must not hold Redis up for long.
local MAX_CLAIMS = 10
local CUT = 27

local function with_group(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err and string.find(reply.err, '^NOGROUP') then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    return redis.call(...)
  elseif type(reply) == 'table' and reply.err then
    error(reply)
  end
  return reply
end

local function ids_and_pks(entries)
  local batch = {}
  for _, entry in ipairs(entries) do
    local id, fields, pk = entry[1], entry[2], false
    for i = 1, #fields, 2 do
      if fields[i] == 'pk' then
        pk = string.sub(fields[i + 1], 1, CUT)
      end
    end
    table.insert(batch, { id, pk })
  end
  return batch
end

for _ = 1, MAX_CLAIMS do
  if cursor == DONE then
    break
  end
  local reply = with_group('XAUTOCLAIM', stream, group, consumer, min_idle, cursor, 'COUNT', count)
  cursor = reply[1] == BEGIN and DONE or reply[1]
  if #reply[2] > 0 then
    return { cursor, ids_and_pks(reply[2]) }
  end
end

local reply = with_group('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
return { cursor, reply and ids_and_pks(reply[1][2]) or {} }
