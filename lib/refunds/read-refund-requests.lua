#!lua flags=allow-key-locking
-- Reads the next batch of refund requests.
-- It returns ids and pks only, so that the size and the bytes of a request do not matter to the poller.
--
-- KEYS[1]  refund_order, stream (created if it is missing, with the group at its start)
-- ARGV     group, consumer, min_idle (ms), count, from:
--            '>'  requests that another run left pending for min_idle; if there are none, new ones
--            id   requests after this id that are on the stream although no run holds them: their dead letters could not be
--                 kept, or someone acknowledged them by hand
--
-- Returns {{{id, pk}, …}, {id, …}, length, next, closed}: the requests, those of '>' now pending for the consumer; the ids of
-- pending requests that someone trimmed from the stream, which stay pending until they are acknowledged; the length of the
-- stream; the `from` of the next call, or '' if this one came to the end; and whether an entry had the highest id, after which
-- Redis adds no other: 0 no, 1 yes, and the stream was made anew, 2 yes, and it is not empty yet, or has other groups.
-- A pk is null if the entry has none, and '' if it cannot be the pk of an order.
-- A second run reads the following batch; the first batch stays pending until it is settled or left for min_idle.
-- Stream entries: none.
local stream = KEYS[1]
local group, consumer, min_idle, count, from = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

local NEW, END = '>', ''
-- A script blocks Redis, and entries arrive with all their fields: 80 of 1 MB take 0.6 s. So they are read a few at a time,
-- and none after so many bytes.
local MAX_BYTES = 1048576
local CHUNK = 8
local HIGHEST_ID = '18446744073709551615-18446744073709551615'
local OPEN, MADE_ANEW, CLOSED = 0, 1, 2
local PK_LENGTH = 26

local batch, trimmed, bytes = {}, {}, 0

local function error_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

local function with_group(...)
  local reply = redis.pcall(...)
  if error_of(reply) and string.find(reply.err, '^NOGROUP') then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    return redis.pcall(...)
  end
  return reply
end

local function call_with_group(...)
  local reply = with_group(...)
  if error_of(reply) then
    error(reply)
  end
  return reply
end

-- The REST reply is JSON, so it must not contain bytes that are not text.
local function plain_pk(value)
  return #value == PK_LENGTH and not string.find(value, '%W') and value or ''
end

local function has_room()
  return #batch < count and bytes < MAX_BYTES
end

local function weigh(fields)
  for _, value in ipairs(fields) do
    bytes = bytes + #value
  end
end

local function take(id, fields)
  local pk = false
  for i = 1, #fields, 2 do
    if fields[i] == 'pk' then
      pk = plain_pk(fields[i + 1])
    end
  end
  table.insert(batch, { id, pk })
end

-- XAUTOCLAIM would do, but it drops trimmed requests from the group in the call that reports them: lost with its reply.
local function read_left_pending()
  local claimed = {}
  for _, pending in ipairs(call_with_group('XPENDING', stream, group, 'IDLE', min_idle, '-', '+', count)) do
    if not has_room() then
      break
    end
    local id = pending[1]
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      weigh(entry[2])
      take(id, entry[2])
      table.insert(claimed, id)
    else
      table.insert(trimmed, id)
    end
  end
  if #claimed > 0 then
    table.insert(claimed, 'JUSTID')
    redis.call('XCLAIM', stream, group, consumer, min_idle, unpack(claimed))
  end
end

local function read_new()
  while has_room() do
    local asked = math.min(CHUNK, count - #batch)
    local reply = with_group('XREADGROUP', 'GROUP', group, consumer, 'COUNT', asked, 'STREAMS', stream, NEW)
    if error_of(reply) then
      -- What the group has handed out already must be settled. The next call has the error.
      if #batch == 0 then
        error(reply)
      end
      return NEW
    end
    local entries = reply and reply[1][2] or {}
    for _, entry in ipairs(entries) do
      weigh(entry[2])
      take(entry[1], entry[2])
    end
    if #entries < asked then
      return END
    end
  end
  return NEW
end

local function read_unheld()
  while has_room() do
    local entries = redis.call('XRANGE', stream, '(' .. from, '+', 'COUNT', CHUNK)
    if #entries == 0 then
      return END
    end
    local first, last, held = entries[1][1], entries[#entries][1], {}
    for _, pending in ipairs(call_with_group('XPENDING', stream, group, first, last, CHUNK)) do
      held[pending[1]] = true
    end
    for _, entry in ipairs(entries) do
      weigh(entry[2])
      if not held[entry[1]] then
        take(entry[1], entry[2])
      end
    end
    from = last
  end
  return from
end

local function length_and_closed()
  -- XINFO has the first and the last entry with all their fields. Usually there is none when nothing was read.
  if #batch > 0 then
    return redis.call('XLEN', stream), batch[#batch][1] == HIGHEST_ID and CLOSED or OPEN
  end
  -- Without a stream there is nothing to read, and nothing in the way.
  local reply, info = redis.pcall('XINFO', 'STREAM', stream), { length = 0 }
  for i = 1, #reply, 2 do
    info[reply[i]] = reply[i + 1]
  end
  if info['last-generated-id'] ~= HIGHEST_ID then
    return info.length, OPEN
  end
  local pending = call_with_group('XPENDING', stream, group)[1]
  if info.length > 0 or pending > 0 or info.groups > 1 then
    return info.length, CLOSED
  end
  redis.call('DEL', stream)
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  return 0, MADE_ANEW
end

local next_from
if from == NEW then
  next_from = NEW
  read_left_pending()
  -- Apart, because Redis may refuse to hand out new ones: those left pending are returned and settled all the same.
  if #batch == 0 and #trimmed == 0 then
    next_from = read_new()
  end
else
  next_from = read_unheld()
end
local length, closed = length_and_closed()
return { batch, trimmed, length, next_from, closed }
