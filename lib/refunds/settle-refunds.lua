#!lua flags=allow-key-locking
-- Settles a batch of refund requests that name an order: refunds the orders.
--
-- KEYS[1]   refund_order, stream
-- KEYS[2]   orders:pending, sorted set
-- KEYS[3…]  order:{pk}, hash, one per request, in their order
-- ARGV[1]   group
-- ARGV[2]   refunded_at (RFC 3339)
-- ARGV[3…]  two per request: id, pk
--
-- Returns {{code, …}, {error, …}}: a code per request, and Redis's error for each code 5, in the order of the codes.
--   1  refunded now
--   2  was refunded before
--   3  unknown order: the request is left alone, and must become a dead letter
--   4  settled by another run: left alone
--   5  failed: Redis refused a write; the request stays pending, and a later run settles it
-- A request with code 1 or 2 is neither pending nor in the stream afterwards. A request that fails does not stop the others.
-- The effect comes first, then XACK and XDEL: a full record or database refuses writes, but not deletes.
-- Stream entries: none.
local stream, pending_key = KEYS[1], KEYS[2]
local group, refunded_at = ARGV[1], ARGV[2]
local FIRST_ORDER_KEY, FIRST_REQUEST = 3, 3

local REFUNDED, WAS_REFUNDED, UNKNOWN, SETTLED_ELSEWHERE, FAILED = 1, 2, 3, 4, 5

local function error_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

-- Someone may have trimmed a request that is pending, acknowledged one by hand, or deleted the group.
local function is_unsettled(id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
  local failure = error_of(pending)
  if failure and not string.find(failure, '^NOGROUP') then
    error(pending)
  end
  return not failure and #pending > 0 or #redis.call('XRANGE', stream, id, id) > 0
end

local function settle(pk, order_key)
  local status = redis.pcall('HGET', order_key, 'status')
  -- A key of another type is not an order.
  if error_of(status) and not string.find(status.err, '^WRONGTYPE') then
    return FAILED, status.err
  elseif status == 'refunded' then
    return WAS_REFUNDED
  elseif status ~= 'pending' and status ~= 'completed' then
    return UNKNOWN
  end
  local refunded = redis.pcall('HSET', order_key, 'status', 'refunded', 'refunded_at', refunded_at)
  -- If this fails alone, the next run finds the order refunded, and so does its completion.
  local removed = error_of(refunded) and refunded or redis.pcall('ZREM', pending_key, pk)
  if error_of(removed) then
    return FAILED, error_of(removed)
  end
  return REFUNDED
end

local codes, errors = {}, {}
for i = FIRST_ORDER_KEY, #KEYS do
  local request = FIRST_REQUEST + 2 * (i - FIRST_ORDER_KEY)
  local id, pk = ARGV[request], ARGV[request + 1]
  local code, failure = SETTLED_ELSEWHERE, nil
  if is_unsettled(id) then
    code, failure = settle(pk, KEYS[i])
    if code == REFUNDED or code == WAS_REFUNDED then
      redis.call('XACK', stream, group, id)
      redis.call('XDEL', stream, id)
    end
  end
  table.insert(codes, code)
  table.insert(errors, failure)
end
return { codes, errors }
