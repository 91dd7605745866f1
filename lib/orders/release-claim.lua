-- Frees an Idempotency-Key whose request placed no order.
--
-- KEYS[1]  idempotency:{hash}, string
-- ARGV     claim: what the request put there
--
-- Returns 1 when the key held this claim and is free now, 0 when it holds something else or nothing; then nothing is
-- written. So it may run again at any time: what another request put there meanwhile stays.
-- Stream entries: none.
local idempotency_key, claim = KEYS[1], ARGV[1]

if redis.call('GET', idempotency_key) ~= claim then
  return 0
end
return redis.call('DEL', idempotency_key)
