-- Completes pending orders and announces each on the stream of completed orders.
--
-- KEYS[1]   orders:pending, sorted set
-- KEYS[2]   order_completed, stream
-- KEYS[3…]  order:{pk}, hash, one an order
-- ARGV[1]   completed_at (RFC 3339)
-- ARGV[2…]  pk, one an order, in the order of KEYS[3…]
--
-- Returns one code an order:
--   1  completed now
--   2  was completed before
--   3  was refunded before
--   4  unknown: there is no such order, or its key holds something else
-- In every case the order owes no completion afterwards.
-- Stream entries: to order_completed one for each code 1, the order's fields as flat strings;
-- a field that the order does not have (price, fee and total of one without prices) is left out.
local pending_key, completed_stream = KEYS[1], KEYS[2]
local completed_at = ARGV[1]
local FIRST_ORDER_KEY, FIRST_PK = 3, 2

local COMPLETED, WAS_COMPLETED, WAS_REFUNDED, UNKNOWN = 1, 2, 3, 4
local CODE_OF = { completed = WAS_COMPLETED, refunded = WAS_REFUNDED }

local FIELDS = { 'pk', 'product_id', 'quantity', 'price', 'fee', 'total', 'status', 'created_at' }
local STATUS = 7

local function completed_entry(values)
  local entry = {}
  for i, field in ipairs(FIELDS) do
    if values[i] then
      table.insert(entry, field)
      table.insert(entry, i == STATUS and 'completed' or values[i])
    end
  end
  table.insert(entry, 'completed_at')
  table.insert(entry, completed_at)
  return entry
end

local function complete(order_key)
  -- pcall: a key of another type must not keep the rest of the batch from completing.
  local values = redis.pcall('HMGET', order_key, unpack(FIELDS))
  local status = values[STATUS]
  if status ~= 'pending' then
    return CODE_OF[status] or UNKNOWN
  end
  redis.call('XADD', completed_stream, '*', unpack(completed_entry(values)))
  redis.call('HSET', order_key, 'status', 'completed', 'completed_at', completed_at)
  return COMPLETED
end

local codes, pks = {}, {}
for i = FIRST_ORDER_KEY, #KEYS do
  local pk = ARGV[FIRST_PK + i - FIRST_ORDER_KEY]
  table.insert(codes, complete(KEYS[i]))
  table.insert(pks, pk)
end
-- Last, so that an order is in the index until it is announced. On a key of another type this raises, and the next run
-- finds the orders completed: a guard before the writes would be a command of every order, which Upstash bills.
redis.call('ZREM', pending_key, unpack(pks))
return codes
