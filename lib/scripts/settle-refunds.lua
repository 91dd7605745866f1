-- Settles a batch of refund requests: refunds the orders, keeps refused requests as dead letters.
--
-- KEYS[1]   refund_order, stream
-- KEYS[2]   refund_order:dead, stream
-- KEYS[3]   orders:pending, sorted set
-- KEYS[4…]  order:{pk}, hash, one for each request that has a pk, in their order
-- ARGV[1]   group
-- ARGV[2]   settled_at (RFC 3339)
-- ARGV[3…]  three a request: id, pk (or ''), reason to refuse it (or '')
--
-- Returns one code a request:
--   1  refunded now
--   2  was refunded before
--   3  refused: kept whole in refund_order:dead
--   4  settled by another run: left alone
--   5  refused, but trimmed from the stream before it could be kept
-- In every case the request is neither pending nor in the stream afterwards.
-- Stream entries: to refund_order:dead one for each code 3: dead_reason, dead_id, dead_at, then the request's own fields.
-- A request that replay-dead-refunds.lua put back begins with the id of the very first request: that is its dead_id again.
local stream, dead_stream, pending_key = KEYS[1], KEYS[2], KEYS[3]
local group, settled_at = ARGV[1], ARGV[2]
local FIRST_ORDER_KEY, FIRST_REQUEST = 4, 3

local REFUNDED, WAS_REFUNDED, DEAD, SETTLED_ELSEWHERE, TRIMMED = 1, 2, 3, 4, 5

-- Lua's unpack can pass about 8,000 values; a request with more fields is kept in one field, as JSON.
local MAX_VALUES = 7000

-- A dead letter that was put back has its first id before its own fields.
local function first_id_and_fields(id, fields)
  if fields[1] ~= 'dead_id' or not string.find(fields[2], '^%d+%-%d+$') then
    return id, fields
  end
  local first_id = fields[2]
  table.remove(fields, 1)
  table.remove(fields, 1)
  return first_id, fields
end

local function bury(id, reason)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    return TRIMMED
  end
  local first_id, fields = first_id_and_fields(id, entry[2])
  if #fields > MAX_VALUES then
    fields = { 'dead_fields', cjson.encode(fields) }
  end
  redis.call('XADD', dead_stream, '*',
    'dead_reason', reason, 'dead_id', first_id, 'dead_at', settled_at, unpack(fields))
  return DEAD
end

-- pcall: a key of another type must not keep the rest of the batch from being settled.
local function status_of(order_key)
  local status = redis.pcall('HGET', order_key, 'status')
  return type(status) == 'string' and status or nil
end

local function settle(id, pk, reason, order_key)
  if reason ~= '' then
    return bury(id, reason)
  end
  local status = status_of(order_key)
  if status == 'refunded' then
    return WAS_REFUNDED
  elseif status ~= 'pending' and status ~= 'completed' then
    return bury(id, 'unknown_order')
  end
  redis.call('HSET', order_key, 'status', 'refunded', 'refunded_at', settled_at)
  redis.call('ZREM', pending_key, pk)
  return REFUNDED
end

-- Guards: on a key of another type these raise before anything is written.
redis.call('ZCARD', pending_key)
redis.call('XLEN', dead_stream)

local codes, next_order_key = {}, FIRST_ORDER_KEY
for i = FIRST_REQUEST, #ARGV, 3 do
  local id, pk, reason = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local order_key
  if reason == '' then
    order_key, next_order_key = KEYS[next_order_key], next_order_key + 1
  end
  if redis.call('XACK', stream, group, id) == 0 then
    table.insert(codes, SETTLED_ELSEWHERE)
  else
    table.insert(codes, settle(id, pk, reason, order_key))
    redis.call('XDEL', stream, id)
  end
end
return codes
