import type { Command } from "./command.ts";

/** The scripts that get the check. A script that computes the name of the command is not found. */
const READS_GROUP = /xreadgroup/i;

/**
 * A Lua function `pending_problem(redis, limit, words)`: the error with which Upstash refuses the command `words`, or nil
 * (https://upstash.com/docs/redis/troubleshooting/stream_pel_limit). A read without COUNT counts as one entry. Entries that
 * were claimed are pending too, but only XREADGROUP is refused, as the page says. XINFO CONSUMERS replies with a map in RESP3.
 */
const PENDING_PROBLEM = `
local function pending_problem(redis, limit, words)
  if type(words[1]) ~= 'string' or string.upper(words[1]) ~= 'XREADGROUP' then return nil end
  local at, count, group, consumer = 2, 1, '', ''
  while words[at] do
    local option = string.upper(words[at])
    if option == 'STREAMS' then break end
    if option == 'NOACK' then return nil end
    if option == 'GROUP' then group, consumer = words[at + 1], words[at + 2] end
    if option == 'COUNT' then count = math.max(1, tonumber(words[at + 1]) or 0) end
    at = at + (option == 'GROUP' and 3 or 2)
  end
  local streams = (#words - at) / 2
  for key = at + 1, at + streams do
    local consumers = words[key + streams] == '>' and redis.pcall('XINFO', 'CONSUMERS', words[key], group) or {}
    local pending = 0
    for _, reply in ipairs(consumers) do
      local fields = reply.map or {}
      for field = 1, #reply, 2 do fields[reply[field]] = reply[field + 1] end
      if fields.name == consumer then pending = fields.pending end
    end
    if words[key + streams] == '>' and pending + count > limit then
      return 'ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be reached. Limit: ' .. limit
        .. ', Current PEL size: ' .. pending .. ', Requested Read: ' .. count
        .. ', Key: ' .. words[key] .. ', Group: ' .. group .. ', Consumer: ' .. consumer .. '.'
    end
  end
end
`;

/** A script that replies with the error of the command in ARGV, or nil. */
export function pendingQuestion(limit: number, command: Command): Command {
  return ["EVAL_RO", `${PENDING_PROBLEM} return pending_problem(redis, ${lua(limit)}, ARGV)`, "0", ...command];
}

/**
 * What precedes the text of a script, so that its own XREADGROUP has the limit too; empty for a script without one. It is one
 * line without an end, so that errors of the script's text name the right line.
 */
export function pendingPreamble(limit: number, source: string): string {
  return READS_GROUP.test(source) ? `${guard(limit)} `.replaceAll(/\n\s*/g, " ") : "";
}

/** The calls are in parentheses because a tail call would leave Redis's errors without a line. */
const guard = (limit: number) => `
${PENDING_PROBLEM}
local redis = setmetatable({
  call = function(...)
    local problem = pending_problem(redis, ${lua(limit)}, { ... })
    if problem then error({ err = problem }) end
    return (redis.call(...))
  end,
  pcall = function(...)
    local problem = pending_problem(redis, ${lua(limit)}, { ... })
    if problem then return { err = problem } end
    return (redis.pcall(...))
  end,
}, { __index = redis })
`;

function lua(limit: number): string {
  return limit === Infinity ? "math.huge" : String(limit);
}
