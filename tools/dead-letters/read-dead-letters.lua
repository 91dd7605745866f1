-- Shows a page of dead letters. Their values come back cut, and as hexadecimal digits: a page of letters of any size and
-- bytes is a small reply, and what is no UTF-8 comes through.
--
-- KEYS[1]  refund_order:dead, stream
-- ARGV     first and last (ids as XRANGE takes them), count, max_values, max_bytes
--
-- Returns {newest, {{id, values, {{hex, bytes}, …}}, …}}: the id of the newest letter there is (null where `last` is not
-- '+', or there is none); of each letter its id, how many names and values it has, and of the first max_values of them
-- their first max_bytes bytes and how many bytes they are in all.
-- Stream entries: none. It only reads, so that EVAL_RO may run it.
local stream = KEYS[1]
local first, last, count = ARGV[1], ARGV[2], ARGV[3]
local max_values, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])

local function hex(bytes)
  return (string.gsub(bytes, '.', function(byte)
    return string.format('%02x', string.byte(byte))
  end))
end

local newest = last == '+' and redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local letters = {}
for _, entry in ipairs(redis.call('XRANGE', stream, first, last, 'COUNT', count)) do
  local shown = {}
  for i = 1, math.min(#entry[2], max_values) do
    local value = entry[2][i]
    table.insert(shown, { hex(string.sub(value, 1, max_bytes)), #value })
  end
  table.insert(letters, { entry[1], #entry[2], shown })
end
return { newest and newest[1] or false, letters }
