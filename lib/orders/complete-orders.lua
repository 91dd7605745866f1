#!lua flags=allow-key-locking
-- Completes pending orders and announces each on the stream of completed orders.
--
-- KEYS[1]   orders:pending, sorted set
-- KEYS[2]   order_completed, stream
-- KEYS[3…]  order:{pk}, hash, one per order
-- ARGV[1]   completed_at (RFC 3339)
-- ARGV[2]   the most entries that order_completed keeps, about: whole nodes of the stream are trimmed
-- ARGV[3…]  pk, one per order, in the order of KEYS[3…]
-- ARGV[…]   the names of all fields that an order may have, in the order of the stream's entries
--
-- Returns {{code, …}, {error, …}, id}: a code per order, and the reason of each code 5, in the order of the codes; and the id of the
-- first entry that this run added to order_completed, or ''.
--   1  completed now
--   2  was completed before
--   3  was refunded before
--   4  unknown: there is no such order, or its key holds something else
--   5  failed: Redis refused a write; nothing of this order has changed, and it stays in orders:pending
-- Every other order is no longer in orders:pending afterwards. An order that fails does not stop the others.
-- Stream entries: to order_completed one for each code 1, the order's fields as flat strings; a field that the order does not have is
-- left out.
local pending_key, completed_stream = KEYS[1], KEYS[2]
local completed_at, max_length = ARGV[1], ARGV[2]
local FIRST_ORDER_KEY, FIRST_PK = 3, 3
local fields = { unpack(ARGV, FIRST_PK + #KEYS - FIRST_ORDER_KEY + 1) }

local COMPLETED, WAS_COMPLETED, WAS_REFUNDED, UNKNOWN, FAILED = 1, 2, 3, 4, 5
local first_id = ''
local CODE_OF = { completed = WAS_COMPLETED, refunded = WAS_REFUNDED }

local function error_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

-- The fields of an order that have a value, as they are once it is completed.
local function completed_entry(values)
  local changed = { status = 'completed', completed_at = completed_at }
  local entry = {}
  for i, field in ipairs(fields) do
    local value = changed[field] or values[i]
    if value then
      table.insert(entry, field)
      table.insert(entry, value)
    end
  end
  return entry
end

local function status_of(values)
  for i, field in ipairs(fields) do
    if field == 'status' then
      return values[i]
    end
  end
end

local function complete(order_key)
  local values = redis.pcall('HMGET', order_key, unpack(fields))
  if error_of(values) then
    -- A key of another type is not an order.
    return string.find(values.err, '^WRONGTYPE') and UNKNOWN or FAILED, values.err
  end
  local status = status_of(values)
  if status ~= 'pending' then
    return CODE_OF[status] or UNKNOWN
  end
  local id = redis.pcall('XADD', completed_stream, 'MAXLEN', '~', max_length, '*', unpack(completed_entry(values)))
  if error_of(id) then
    return FAILED, error_of(id)
  end
  local stored = redis.pcall('HSET', order_key, 'status', 'completed', 'completed_at', completed_at)
  if error_of(stored) then
    -- Otherwise the next run would announce the order again. A full database refuses writes, but not deletes.
    redis.call('XDEL', completed_stream, id)
    return FAILED, error_of(stored)
  end
  if first_id == '' then
    first_id = id
  end
  return COMPLETED
end

local codes, errors, settled = {}, {}, {}
for i = FIRST_ORDER_KEY, #KEYS do
  local code, failure = complete(KEYS[i])
  table.insert(codes, code)
  if code == FAILED then
    table.insert(errors, failure)
  else
    table.insert(settled, ARGV[FIRST_PK + i - FIRST_ORDER_KEY])
  end
end
-- Last, so that an order is in the index until it is announced. On a key of another type this raises, and the next run
-- finds the orders completed: a guard before the writes would be a command of every order, which Upstash bills.
if #settled > 0 then
  redis.call('ZREM', pending_key, unpack(settled))
end
return { codes, errors, first_id }
