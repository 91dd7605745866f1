#!lua flags=allow-key-locking
-- Moves refused refund requests to the stream of dead letters.
--
-- KEYS[1]   refund_order, stream
-- KEYS[2]   refund_order:dead, stream
-- ARGV[1]   group
-- ARGV[2]   dead_at (RFC 3339)
-- ARGV[3…]  two per request: id, reason to refuse it
--
-- Returns {{code, …}, {error, …}}: a code per request, and Redis's error for each code 4, in the order of the codes.
--   1  kept: the request is neither pending nor in the stream any more
--   2  settled by another run: left alone
--   3  trimmed from the stream while it was pending: it stays pending, so that the loss is reported again if this reply is lost
--   4  failed: Redis refused the dead letter, and the request is left alone
-- A request that fails does not stop the others.
-- The dead letter comes first, then XACK and XDEL: a full record or database refuses writes, but not deletes.
-- Stream entries: to refund_order:dead one for each code 1: dead_reason, dead_id, dead_at, then the request's own fields.
-- Of fields above 4 KB in all it keeps dead_truncated (their bytes, and one for each name and value), the pk (1 KB of it at
-- most), and as many of the others as fit; the last value may be cut.
-- A replayed request starts with its first id, which becomes its dead_id again.
local stream, dead_stream = KEYS[1], KEYS[2]
local group, dead_at = ARGV[1], ARGV[2]
local FIRST_REQUEST = 3

local KEPT, SETTLED_ELSEWHERE, TRIMMED, FAILED = 1, 2, 3, 4

local MAX_FIELD_BYTES = 4096
-- So that a long malformed pk leaves room for the other fields.
local MAX_PK_BYTES = 1024

local function error_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

local function is_pending(id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
  local failure = error_of(pending)
  if failure and not string.find(failure, '^NOGROUP') then
    error(pending)
  end
  return not failure and #pending > 0
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

local function keep_dead_letter(id, reason)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    return is_pending(id) and TRIMMED or SETTLED_ELSEWHERE
  end
  local first_id, fields = first_id_and_fields(id, entry[2])
  local kept = size_of(fields) <= MAX_FIELD_BYTES and fields or truncated(fields)
  local added = redis.pcall('XADD', dead_stream, '*',
    'dead_reason', reason, 'dead_id', first_id, 'dead_at', dead_at, unpack(kept))
  if error_of(added) then
    return FAILED, error_of(added)
  end
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
  return KEPT
end

local codes, errors = {}, {}
for i = FIRST_REQUEST, #ARGV, 2 do
  local code, failure = keep_dead_letter(ARGV[i], ARGV[i + 1])
  table.insert(codes, code)
  table.insert(errors, failure)
end
return { codes, errors }
