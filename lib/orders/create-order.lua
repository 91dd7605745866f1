-- Stores a new order and its entry in the outbox of completions.
--
-- KEYS[1]  order:{pk}, hash
-- KEYS[2]  orders:pending, sorted set
-- KEYS[3]  idempotency:{hash}, string (only when the client sent an Idempotency-Key): `{pk}:{fingerprint}` of the order that
--          was placed with the key, or `claim:{pk}` of the order that a request with the key is about to place
-- ARGV     pk, product_id, quantity, created_at (RFC 3339), due (ms), fingerprint (hex), retention of the key (s), retention
--          of the order (s; 0 keeps it forever), then price, fee, total (decimals; all three, or none for an order without
--          prices)
--
-- Returns {code, pk}:
--   1  created: the order is stored, now or by an earlier run of this very call
--   2  replayed: the order `pk` was placed with the key and has the same fingerprint; nothing is written
--   3  reused: an order with another fingerprint was placed with the key; nothing is written
--   4  in use: another request has claimed the key for the order `pk`; nothing is written
-- Stream entries: none.
local order_key, pending_key, idempotency_key = KEYS[1], KEYS[2], KEYS[3]
local pk, product_id, quantity, created_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local due, fingerprint = tonumber(ARGV[5]), ARGV[6]
local key_retention, order_retention = tonumber(ARGV[7]), tonumber(ARGV[8])
local price, fee, total = ARGV[9], ARGV[10], ARGV[11]

local CREATED, REPLAYED, REUSED, IN_USE = 1, 2, 3, 4

local RECORD = pk .. ':' .. fingerprint

-- One command reads the key and takes it if it is free (NX with GET needs Redis 7.0). The record comes before the order: an
-- order that is stored without it would be placed again when its client retries.
if idempotency_key then
  local first = redis.call('SET', idempotency_key, RECORD, 'NX', 'GET', 'EX', key_retention)
  local claimed_pk = first and string.match(first, '^claim:(%w+)$')
  if claimed_pk and claimed_pk ~= pk then
    return { IN_USE, claimed_pk }
  elseif first and not claimed_pk then
    local first_pk, first_fingerprint = string.match(first, '^(%w+):(%w+)$')
    if first_fingerprint ~= fingerprint then
      return { REUSED, first_pk }
    end
    return { first_pk == pk and CREATED or REPLAYED, first_pk }
  end
  if claimed_pk then
    redis.call('SET', idempotency_key, RECORD, 'EX', key_retention)
  end
elseif redis.call('HLEN', order_key) > 0 then
  return { CREATED, pk }
end

local prices = price and { 'price', price, 'fee', fee, 'total', total } or {}

local function store()
  local indexed = redis.pcall('ZADD', pending_key, due, pk)
  if type(indexed) == 'table' and indexed.err then
    return indexed
  end
  return redis.pcall('HSET', order_key,
    'pk', pk, 'product_id', product_id, 'quantity', quantity, 'status', 'pending', 'created_at', created_at,
    unpack(prices))
end

-- Redis does not roll back, so the script deletes what it wrote. A full database allows deletes.
local stored = store()
if type(stored) == 'table' and stored.err then
  redis.pcall('ZREM', pending_key, pk)
  if idempotency_key then
    redis.call('DEL', idempotency_key)
  end
  return stored
end
if order_retention > 0 then
  -- Last, so that the key does not outlive the order: Redis 7.0 reads the clock at each command.
  redis.call('EXPIRE', order_key, order_retention)
end
return { CREATED, pk }
