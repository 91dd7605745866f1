-- Reads the next batch of refund requests: first those that another run left pending, then new ones.
-- It returns ids and pks only, so that the size and the bytes of a request do not matter to the poller.
--
-- KEYS[1]  refund_order, stream (created if it is missing, with the group at its start)
-- ARGV     group, consumer, min_idle (ms), count, cursor ('0-0' to start reclaiming, '' when that is done)
--
-- Returns {cursor, {{id, pk}, …}, {id, …}}: the cursor of the next call; the entries, now pending for the consumer; and the
-- ids of pending entries that someone trimmed from the stream.
-- A pk is null if the entry has none, and '' if it cannot be the pk of an order.
-- A second run reads the following batch; the first batch stays pending until it is reclaimed.
-- Stream entries: none written; XAUTOCLAIM drops pending entries that were trimmed from the stream.
local stream = KEYS[1]
local group, consumer, min_idle, count, cursor = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local BEGIN, DONE = '0-0', ''
-- XAUTOCLAIM scans 10 × COUNT pending entries per call, and a script blocks Redis.
local MAX_CLAIMS = 10
local PK_LENGTH = 26

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

-- The REST reply is JSON, so it must not contain bytes that are not text.
local function plain_pk(value)
  return #value == PK_LENGTH and not string.find(value, '%W') and value or ''
end

local function ids_and_pks(entries)
  local batch = {}
  for _, entry in ipairs(entries) do
    local id, fields, pk = entry[1], entry[2], false
    for i = 1, #fields, 2 do
      if fields[i] == 'pk' then
        pk = plain_pk(fields[i + 1])
      end
    end
    table.insert(batch, { id, pk })
  end
  return batch
end

local trimmed = {}

local function reply_with(entries)
  return { cursor, ids_and_pks(entries), trimmed }
end

for _ = 1, MAX_CLAIMS do
  if cursor == DONE then
    break
  end
  local reply = with_group('XAUTOCLAIM', stream, group, consumer, min_idle, cursor, 'COUNT', count)
  cursor = reply[1] == BEGIN and DONE or reply[1]
  for _, id in ipairs(reply[3]) do
    table.insert(trimmed, id)
  end
  if #reply[2] > 0 then
    return reply_with(reply[2])
  end
end

local reply = with_group('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
return reply_with(reply and reply[1][2] or {})
