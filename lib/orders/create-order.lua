#!lua flags=allow-key-locking
-- Stores a new order and its entry in the outbox of completions.
--
-- KEYS[1]  order:{pk}, hash
-- KEYS[2]  orders:pending, sorted set
-- KEYS[3]  idempotency:{hash}, string (only when the client sent an Idempotency-Key)
-- ARGV[1]  pk
-- ARGV[2]  due (ms)
-- ARGV[3]  retention of the order (s; 0 keeps it forever)
-- ARGV[4]  retention of the key (s)
-- ARGV[5]  record: the value of the key once the order is placed
-- ARGV[6]  claim: the value of the key if this request has claimed it before
-- ARGV[7…] the order's fields, names and values in turn
--
-- Returns the value of the key that another request has written: nothing is written then. Or nil: the order is stored, now or by an
-- earlier run of this very call.
-- When Redis refuses a write, its error is the reply and nothing has changed: a claim stays, and a key that was free is free. Except
-- for EXPIRE: the order is stored then, and the same call again returns nil.
-- Stream entries: none.
local order_key, pending_key, idempotency_key = KEYS[1], KEYS[2], KEYS[3]
local pk, due, order_retention, key_retention = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local record, claim = ARGV[5], ARGV[6]
local FIRST_FIELD = 7

local is_claimed = false

-- One command reads the key and takes it if it is free (NX with GET needs Redis 7.0).
if idempotency_key then
  local held = redis.call('SET', idempotency_key, record, 'NX', 'GET', 'EX', key_retention)
  is_claimed = held == claim
  if held == record then
    return false
  elseif held and not is_claimed then
    return held
  end
elseif redis.call('HLEN', order_key) > 0 then
  return false
end

local writes = {
  { 'ZADD', pending_key, due, pk },
  { 'HSET', order_key, unpack(ARGV, FIRST_FIELD) },
}
if is_claimed then
  table.insert(writes, { 'SET', idempotency_key, record, 'EX', key_retention })
end

for _, write in ipairs(writes) do
  local reply = redis.pcall(unpack(write))
  if type(reply) == 'table' and reply.err then
    -- Redis does not roll back. A full database refuses writes, but not deletes.
    redis.pcall('ZREM', pending_key, pk)
    redis.pcall('DEL', order_key)
    if idempotency_key and not is_claimed then
      redis.call('DEL', idempotency_key)
    end
    return reply
  end
end
if order_retention > 0 then
  -- Last, so that the key does not outlive the order: Redis 7.0 reads the clock at each command.
  redis.call('EXPIRE', order_key, order_retention)
end
return false
