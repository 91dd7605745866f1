#!lua flags=allow-key-locking
-- Releases an Idempotency-Key whose request placed no order.
--
-- KEYS[1]  idempotency:{hash}, string
-- ARGV     claim: the value that the request wrote
--
-- Returns 1 when the key held this claim and is free now, or 0 when it holds another value or none, and nothing is written.
-- So it is idempotent: a value that another request wrote in the meantime stays.
-- Stream entries: none.
local idempotency_key, claim = KEYS[1], ARGV[1]

if redis.call('GET', idempotency_key) ~= claim then
  return 0
end
return redis.call('DEL', idempotency_key)
