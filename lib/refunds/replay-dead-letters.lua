#!lua flags=allow-key-locking
-- Moves dead letters back to the stream of refund requests, to be settled again.
--
-- KEYS[1]  refund_order:dead, stream
-- KEYS[2]  refund_order, stream
-- ARGV     id of a dead letter, one or more
--
-- Returns one code per dead letter:
--   1  moved back
--   2  gone: moved back or dropped before
-- Stream entries: to refund_order one for each code 1: dead_id (the first id of the request), then the fields that the dead
-- letter kept of the request.
local dead_stream, stream = KEYS[1], KEYS[2]

local REPLAYED, GONE = 1, 2

-- The fields that keep-dead-letters.lua adds before those of the request.
local HEAD = { 'dead_reason', 'dead_id', 'dead_at' }
local FIRST_ID = 4

local function has_head(letter)
  for i, name in ipairs(HEAD) do
    if letter[2 * i - 1] ~= name then
      return false
    end
  end
  return true
end

local function request_of(letter)
  -- An entry that someone else wrote does not have these fields: all of it goes back.
  if not has_head(letter) then
    return letter
  end
  local own = {}
  for i = 2 * #HEAD + 1, #letter do
    table.insert(own, letter[i])
  end
  return { 'dead_id', letter[FIRST_ID], unpack(own) }
end

local function replay(id)
  local entry = redis.call('XRANGE', dead_stream, id, id)[1]
  if not entry then
    return GONE
  end
  redis.call('XADD', stream, '*', unpack(request_of(entry[2])))
  redis.call('XDEL', dead_stream, id)
  return REPLAYED
end

-- On a key of another type this raises an error before anything is written.
redis.call('XLEN', stream)

local codes = {}
for _, id in ipairs(ARGV) do
  table.insert(codes, replay(id))
end
return codes
