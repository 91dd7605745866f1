-- Settles a batch of refund requests: refunds the orders, keeps refused requests as dead letters.
--
-- KEYS[1]   refund_order, stream
-- KEYS[2]   refund_order:dead, stream
-- KEYS[3]   orders:pending, sorted set
-- KEYS[4…]  order:{pk}, hash, one for each request that has a pk, in their order
-- ARGV[1]   group
-- ARGV[2]   settled_at (RFC 3339)
-- ARGV[3…]  three per request: id, pk (or ''), reason to refuse it (or '')
--
-- Returns {{code, …}, {error, …}}: a code per request, and Redis's error for each code 6, in the order of the codes.
--   1  refunded now
--   2  was refunded before
--   3  refused: kept in refund_order:dead
--   4  settled by another run: left alone
--   5  refused, but trimmed from the stream before it could be kept
--   6  failed: Redis refused a write; the request stays pending, and the next run settles it
-- Every other request is neither pending nor in the stream afterwards. A request that fails does not stop the others.
-- The effect comes first, then XACK and XDEL: a full record or database refuses writes, but not deletes.
-- Stream entries: to refund_order:dead one for each code 3: dead_reason, dead_id, dead_at, then the request's own fields.
-- Of fields above 4 KB in all it keeps dead_truncated (their bytes, and one for each name and value), the pk (1 KB of it at
-- most), and as many of the others as fit; the last value may be cut.
-- A replayed request starts with its first id, which becomes its dead_id again.
local stream, dead_stream, pending_key = KEYS[1], KEYS[2], KEYS[3]
local group, settled_at = ARGV[1], ARGV[2]
local FIRST_ORDER_KEY, FIRST_REQUEST = 4, 3

local REFUNDED, WAS_REFUNDED, DEAD, SETTLED_ELSEWHERE, TRIMMED, FAILED = 1, 2, 3, 4, 5, 6

local MAX_FIELD_BYTES = 4096
-- So that a long malformed pk leaves room for the other fields.
local MAX_PK_BYTES = 1024

local function error_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

local function is_pending(id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
  if not error_of(pending) then
    return #pending > 0
  elseif string.find(pending.err, '^NOGROUP') then
    return false
  end
  error(pending)
end

-- A replayed dead letter has its first id before its own fields.
local function first_id_and_fields(id, fields)
  if fields[1] ~= 'dead_id' or not string.find(fields[2], '^%d+%-%d+$') then
    return id, fields
  end
  local first_id = fields[2]
  table.remove(fields, 1)
  table.remove(fields, 1)
  return first_id, fields
end

-- One byte more for each name and value, so that empty ones are bounded too.
local function size_of(values)
  local bytes = #values
  for _, value in ipairs(values) do
    bytes = bytes + #value
  end
  return bytes
end

local function index_of_last_pk(fields)
  for i = #fields - 1, 1, -2 do
    if fields[i] == 'pk' then
      return i
    end
  end
end

local function truncated(fields)
  local kept = { 'dead_truncated', tostring(size_of(fields)) }
  local room = MAX_FIELD_BYTES - size_of(kept)
  local function keep(name, value)
    local most = room - size_of({ name, '' })
    if most >= 0 then
      value = string.sub(value, 1, most)
      room = most - #value
      table.insert(kept, name)
      table.insert(kept, value)
    end
  end
  local pk_index = index_of_last_pk(fields)
  if pk_index then
    keep('pk', string.sub(fields[pk_index + 1], 1, MAX_PK_BYTES))
  end
  for i = 1, #fields, 2 do
    if i ~= pk_index then
      keep(fields[i], fields[i + 1])
    end
  end
  return kept
end

local function dead_letter(id, reason)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    return TRIMMED
  end
  local first_id, fields = first_id_and_fields(id, entry[2])
  local kept = size_of(fields) <= MAX_FIELD_BYTES and fields or truncated(fields)
  local added = redis.pcall('XADD', dead_stream, '*',
    'dead_reason', reason, 'dead_id', first_id, 'dead_at', settled_at, unpack(kept))
  if error_of(added) then
    return FAILED, error_of(added)
  end
  return DEAD
end

local function settle(id, pk, reason, order_key)
  if reason ~= '' then
    return dead_letter(id, reason)
  end
  local status = redis.pcall('HGET', order_key, 'status')
  -- A key of another type is not an order.
  if error_of(status) and not string.find(status.err, '^WRONGTYPE') then
    return FAILED, status.err
  elseif status == 'refunded' then
    return WAS_REFUNDED
  elseif status ~= 'pending' and status ~= 'completed' then
    return dead_letter(id, 'unknown_order')
  end
  local refunded = redis.pcall('HSET', order_key, 'status', 'refunded', 'refunded_at', settled_at)
  -- If this fails alone, the next run finds the order refunded, and so does its completion.
  local removed = error_of(refunded) and refunded or redis.pcall('ZREM', pending_key, pk)
  if error_of(removed) then
    return FAILED, error_of(removed)
  end
  return REFUNDED
end

local codes, errors, next_order_key = {}, {}, FIRST_ORDER_KEY
for i = FIRST_REQUEST, #ARGV, 3 do
  local id, pk, reason = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local order_key
  if reason == '' then
    order_key, next_order_key = KEYS[next_order_key], next_order_key + 1
  end
  local code, failure = SETTLED_ELSEWHERE, nil
  if is_pending(id) then
    code, failure = settle(id, pk, reason, order_key)
    if code == FAILED then
      table.insert(errors, failure)
    else
      redis.call('XACK', stream, group, id)
      redis.call('XDEL', stream, id)
    end
  end
  table.insert(codes, code)
end
return { codes, errors }
