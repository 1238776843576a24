#!lua name=checkrein_journal_VERSION

-- The journal's Functions. Each touches the keys of one partition (or of one counter), all of
-- which share a hash tag, and whose names are made from the partition's log, KEYS[1]. KEYS[2] never
-- exists, so that Redis runs none of them while it moves the slot. Each looks first and writes
-- last: Redis does not roll back.

local MAX = 9007199254740991
local RECENT_LAST = 49

-- What comes due is in sets sorted by their members, which begin with the time in 20 digits:
-- nanoseconds do not fit a score.

local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000), tonumber(t[2]) % 1000
end

local function clamp(n)
  if n > MAX then return MAX end
  if n < -MAX then return -MAX end
  return n
end

local function whole(n) return string.format('%.0f', n) end

-- The run as it is now: version, last seq, scalars, secret, last time, recent records (newest
-- first), and what is open. False when there is no such run.
local function state_of(base, id)
  local run = redis.call('HMGET', base .. 'run:' .. id, 'v', 'q', 's', 'w', 'n')
  if not run[1] then return false end
  local ids = redis.call('LRANGE', base .. 'recent:' .. id, 0, -1)
  local recent = {}
  if #ids > 0 then recent = redis.call('HMGET', base .. 'acts:' .. id, unpack(ids)) end
  return {run[1], run[2], run[3], run[4], run[5], recent,
          redis.call('HGETALL', base .. 'open:' .. id)}
end

-- The version of a run that is not here: what is left of one that was forgotten lately, else ''.
-- A gateway that looked for the run in the ledger before it came and went must look again.
local function absent(base, id)
  return redis.call('GET', base .. 'gone:' .. id) or ''
end

-- Which of these runs above are halted, or about to be, as far as this partition was told:
-- id, token and age in milliseconds of the first one.
local function mark_of(base, above)
  if #above == 0 then return false end
  local found = redis.call('HMGET', base .. 'halts', unpack(above))
  for number, mark in ipairs(found) do
    if mark then
      local token, at = string.match(mark, '^(.*) (%d+)$')
      return {above[number], token, whole(now() - tonumber(at))}
    end
  end
  return false
end

-- KEYS: log. ARGV: place, known version, number of actions, action ids, ids of the runs above.
-- {version, state or false when it is the known one or absent, records, mark or false}
local function gather(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  local wanted = tonumber(args[3])
  local records, above = {}, {}
  for n = 4, 3 + wanted do
    records[#records + 1] = redis.call('HGET', base .. 'acts:' .. id, args[n])
  end
  for n = 4 + wanted, #args do above[#above + 1] = args[n] end
  local here = redis.call('HGET', base .. 'run:' .. id, 'v')
  local version = here or absent(base, id)
  local state = false
  if here and version ~= args[2] then state = state_of(base, id) end
  return {version, state, records, mark_of(base, above)}
end

local function add(log, ms, us, number, entry)
  local id = whole(ms) .. '-' .. whole(us * 1000 + number)
  local done = redis.pcall('XADD', log, id, 'e', entry)
  if type(done) == 'table' and done.err then
    -- The clock went back, or this microsecond has been used.
    done = redis.call('XADD', log, '*', 'e', entry)
  end
  return done
end

-- KEYS: log. ARGV, in order:
--  1 place  2 expected version  3 new version  4 new last seq  5 scalars  6 wrapped secret
--  7 last time  8 flags  9 most that may wait  10 lease owner  11 reservation
--  12 for a halt: the token that the partitions below were told, and a new one for telling them
--  13 moves  14 number of events, then (field, entry) each
--  then number of actions, then (id, record, isnew, due member, decided field, replaced field)
--  then number of approvals, then (id, record or '', member)
--  then the runs above.
-- Flags: A allows, T touched, H halts, L wants the lease, C confirms.
-- A number is the first seq, negative when these events had been appended before.
local function append(keys, args)
  local log = keys[1]
  local base, id = string.sub(log, 1, -4), args[1]
  local run = base .. 'run:' .. id
  local flags = args[8]
  local events = tonumber(args[14])
  local first_seq = tonumber(args[4]) - events + 1
  local placed = redis.call('HGET', base .. 'placed', args[15])
  if placed then return -tonumber(string.match(placed, '^%S+ (%d+) ')) end

  local known = redis.call('HMGET', run, 'v', 'l')
  local version, lease = known[1] or absent(base, id), known[2]
  local ms, us = now()
  if lease then
    local owner, ends = string.match(lease, '^(.*) (%d+)$')
    if owner ~= args[10] and tonumber(ends) > ms then
      return {'leased', whole(tonumber(ends) - ms)}
    end
  end
  if version ~= args[2] then
    if string.find(flags, 'L', 1, true) and known[1] then
      redis.call('HSET', run, 'l', args[10] .. ' ' .. whole(ms + 200))
    end
    return {'stale', state_of(base, id)}
  end
  local at = 15 + 2 * events
  local actions_at, actions = at + 1, tonumber(args[at])
  at = at + 1 + 6 * actions
  local approvals_at, approvals = at + 1, tonumber(args[at])
  at = at + 1 + 3 * approvals
  if string.find(flags, 'A', 1, true) then
    local above = {}
    for n = at, #args do above[#above + 1] = args[n] end
    local mark = mark_of(base, above)
    if mark then return {'mark', mark} end
  end
  if string.find(flags, 'C', 1, true)
      and redis.call('HEXISTS', base .. 'void', args[11]) == 1 then
    return {'void'}
  end
  local waiting = redis.call('XLEN', log)
  if waiting >= tonumber(args[9]) then return {'full', waiting} end
  if string.find(flags, 'H', 1, true) then
    local below = redis.call('SMEMBERS', base .. 'below:' .. id)
    local halting = redis.call('GET', base .. 'halting:' .. id) or ''
    -- Only who has the reply of `spread` can have told: this very command, sent again, has not.
    local told, token = string.match(args[12], '^(%S*) (%S*)$')
    if #below > 0 and string.match(halting, '^(.*) %d+$') ~= told then
      redis.call('SET', base .. 'halting:' .. id, token .. ' ' .. whole(ms), 'EX', 3600)
      return {'spread', below}
    end
    redis.call('DEL', base .. 'halting:' .. id)
  end

  local last = false
  for n = 0, events - 1 do
    last = add(log, ms, us, n, args[16 + 2 * n])
    redis.call('HSET', base .. 'placed', args[15 + 2 * n],
               last .. ' ' .. whole(first_seq + n) .. ' ' .. id)
  end
  redis.call('HSET', run, 'v', args[3], 'q', args[4], 's', args[5], 'n', args[7], 'x', last)
  if args[6] ~= '' then redis.call('HSET', run, 'w', args[6]) end
  if lease then redis.call('HDEL', run, 'l') end
  if string.find(flags, 'T', 1, true) then redis.call('ZADD', base .. 'idle', args[7], id) end
  if string.find(flags, 'H', 1, true) then redis.call('HSET', run, 'h', '1') end
  for n = actions_at, actions_at + 6 * actions - 1, 6 do
    local action = args[n]
    local fresh = redis.call('HSET', base .. 'acts:' .. id, action, args[n + 1]) == 1
    local due = 'd:' .. action
    if not fresh then
      local member = redis.call('HGET', base .. 'open:' .. id, due)
      if member then
        redis.call('HDEL', base .. 'open:' .. id, due)
        redis.call('ZREM', base .. 'due', member)
      end
    end
    if args[n + 2] == '1' then
      if not fresh then redis.call('LREM', base .. 'recent:' .. id, 1, action) end
      redis.call('LPUSH', base .. 'recent:' .. id, action)
      redis.call('LTRIM', base .. 'recent:' .. id, 0, RECENT_LAST)
    end
    if args[n + 3] ~= '' then
      redis.call('HSET', base .. 'open:' .. id, due, args[n + 3])
      redis.call('ZADD', base .. 'due', 0, args[n + 3])
    end
    if args[n + 5] ~= '' then redis.call('HDEL', base .. 'decided', args[n + 5]) end
    redis.call('HSET', base .. 'decided', args[n + 4], id .. '\n' .. action)
  end
  for n = approvals_at, approvals_at + 3 * approvals - 1, 3 do
    local open, field = base .. 'open:' .. id, 'p:' .. args[n]
    local before = redis.call('HGET', open, 'e:' .. args[n])
    if before then redis.call('ZREM', base .. 'expiring', before) end
    if args[n + 1] == '' then
      redis.call('HDEL', open, field, 'e:' .. args[n])
    else
      redis.call('HSET', open, field, args[n + 1], 'e:' .. args[n], args[n + 2])
      redis.call('ZADD', base .. 'expiring', 0, args[n + 2])
    end
  end
  if args[13] ~= '' then
    redis.call('HSET', base .. 'moves', args[15], args[11] .. '\n' .. args[13])
  end
  return first_seq
end

-- Bring a run back from the ledger, unless it is here. KEYS: log.
-- ARGV: place, version, last seq, scalars, secret, last time, halted, its version while absent,
-- number of recent, recent action ids (oldest first), then (id, record, decided field) of actions,
-- an empty word, then (id, record, member) of approvals.
local function bring(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  local run = base .. 'run:' .. id
  if redis.call('EXISTS', run) == 1 or absent(base, id) ~= args[8] then return 0 end
  redis.call('HSET', run, 'v', args[2], 'q', args[3], 's', args[4], 'w', args[5], 'n', args[6])
  if args[7] == '1' then redis.call('HSET', run, 'h', '1') end
  redis.call('ZADD', base .. 'idle', args[6], id)
  local n = 10
  for _ = 1, tonumber(args[9]) do
    redis.call('LPUSH', base .. 'recent:' .. id, args[n])
    n = n + 1
  end
  while args[n] ~= '' do
    redis.call('HSET', base .. 'acts:' .. id, args[n], args[n + 1])
    redis.call('HSET', base .. 'decided', args[n + 2], id .. '\n' .. args[n])
    n = n + 3
  end
  for k = n + 1, #args, 3 do
    redis.call('HSET', base .. 'open:' .. id, 'p:' .. args[k], args[k + 1],
               'e:' .. args[k], args[k + 2])
    redis.call('ZADD', base .. 'expiring', 0, args[k + 2])
  end
  return 1
end

-- Destroy a run's wrapped secret. KEYS: log. ARGV: place, new version. 1 done, 0 not here.
local function erase(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  if redis.call('EXISTS', base .. 'run:' .. id) == 0 then
    -- A gateway that read it in the ledger before must read it again.
    redis.call('SET', base .. 'gone:' .. id, 'gone:' .. args[2], 'EX', 86400)
    return 0
  end
  redis.call('HSET', base .. 'run:' .. id, 'w', '', 'v', args[2])
  return 1
end

-- A run below registers its partition with a run above it. KEYS: log of the run above.
-- ARGV: place of the run above, partition below, seconds to remember it.
-- {version or '', scalars, '1' when halted, token of a halt under way or '', its age}
local function above(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  redis.call('SADD', base .. 'below:' .. id, args[2])
  redis.call('EXPIRE', base .. 'below:' .. id, args[3])
  local run = redis.call('HMGET', base .. 'run:' .. id, 'v', 's', 'h')
  local halting = redis.call('GET', base .. 'halting:' .. id) or ' 0'
  local token, at = string.match(halting, '^(.*) (%d+)$')
  return {run[1] or '', run[2] or '', run[3] or '0', token, whole(now() - tonumber(at))}
end

-- Tell a partition that a run above is about to be halted. ARGV: place, token.
local function mark(keys, args)
  local base = string.sub(keys[1], 1, -4)
  redis.call('HSET', base .. 'halts', args[1], args[2] .. ' ' .. whole(now()))
  return 1
end

-- Take back a halt that did not come. KEYS: log of the run itself. ARGV: place, token.
-- 1 the run is halted; 0 it is not, and can no more be under this token; -1 no such run here.
local function unhalt(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  if redis.call('HGET', base .. 'run:' .. id, 'h') then return 1 end
  local halting = base .. 'halting:' .. id
  local token = string.match(redis.call('GET', halting) or '', '^(.*) %d+$')
  if token == args[2] then redis.call('DEL', halting) end
  if redis.call('EXISTS', base .. 'run:' .. id) == 0 then return -1 end
  return 0
end

-- Forget a halt above that did not come. KEYS: log. ARGV: place of the run above, token.
local function unmark(keys, args)
  local base = string.sub(keys[1], 1, -4)
  local found = redis.call('HGET', base .. 'halts', args[1])
  if found and string.match(found, '^(.*) %d+$') == args[2] then
    redis.call('HDEL', base .. 'halts', args[1])
  end
  return 1
end

-- The record of the action that a decision judged last. ARGV: decided field.
-- {run's place, record} or false
local function decision(keys, args)
  local base = string.sub(keys[1], 1, -4)
  local found = redis.call('HGET', base .. 'decided', args[1])
  if not found then return false end
  local id, action = string.match(found, '^(.-)\n(.*)$')
  local record = redis.call('HGET', base .. 'acts:' .. id, action)
  return record and {id, record} or false
end

-- An event that still waits. ARGV: placed field. {run's place, seq, entry} or false
local function event(keys, args)
  local found = redis.call('HGET', string.sub(keys[1], 1, -4) .. 'placed', args[1])
  if not found then return false end
  local entry, seq, id = string.match(found, '^(%S+) (%d+) (.*)$')
  local range = redis.call('XRANGE', keys[1], entry, entry)
  if #range == 0 then return false end
  return {id, seq, range[1][2][2]}
end

-- The oldest records of a partition, flat: (entry, bytes) each. ARGV: how many at most, and bytes
-- after which no more follow.
local function oldest(keys, args)
  local flat, left = {}, tonumber(args[2])
  for _, found in ipairs(redis.call('XRANGE', keys[1], '-', '+', 'COUNT', args[1])) do
    if left <= 0 then break end
    flat[#flat + 1] = found[1]
    flat[#flat + 1] = found[2][2]
    left = left - #found[2][2]
  end
  return flat
end

-- Where these events were placed, settled or not. ARGV: placed field. First seq or 0.
local function placed(keys, args)
  local found = redis.call('HGET', string.sub(keys[1], 1, -4) .. 'placed', args[1])
  return found and tonumber(string.match(found, '^%S+ (%d+) ')) or 0
end

-- Forget an idle run. KEYS: log. ARGV: place, version, seconds for which it is known that it was
-- here, decided fields. 1 gone, 0 not.
local function evict(keys, args)
  local base, id = string.sub(keys[1], 1, -4), args[1]
  local run = base .. 'run:' .. id
  local known = redis.call('HMGET', run, 'v', 'x')
  if known[1] ~= args[2] then return 0 end
  if known[2] and #redis.call('XRANGE', keys[1], '-', known[2], 'COUNT', 1) > 0 then return 0 end
  if redis.call('EXISTS', base .. 'open:' .. id) == 1 then return 0 end
  for n = 4, #args do redis.call('HDEL', base .. 'decided', args[n]) end
  redis.call('SET', base .. 'gone:' .. id, 'gone:' .. args[2], 'EX', args[3])
  redis.call('UNLINK', run, base .. 'acts:' .. id, base .. 'recent:' .. id)
  redis.call('ZREM', base .. 'idle', id)
  return 1
end

-- Become or stay the owner of a partition. ARGV: owner, milliseconds. Fencing token, 0 refused.
local function own(keys, args)
  local key = string.sub(keys[1], 1, -4) .. 'owner'
  local ms = now()
  local known = redis.call('HMGET', key, 'owner', 'until', 'token')
  local token = tonumber(known[3] or '0')
  local alive = known[1] and known[1] ~= '' and tonumber(known[2]) > ms
  if alive and known[1] ~= args[1] then return 0 end
  -- Whoever let its lease end begins anew: in between it may have had another owner.
  if not alive or known[1] ~= args[1] then token = token + 1 end
  redis.call('HSET', key, 'owner', args[1], 'until', whole(ms + tonumber(args[2])),
             'token', whole(token))
  return token
end

-- Give a partition back. KEYS: log. ARGV: owner, fencing token.
local function disown(keys, args)
  local key = string.sub(keys[1], 1, -4) .. 'owner'
  if redis.call('HGET', key, 'token') == args[2]
      and redis.call('HGET', key, 'owner') == args[1] then
    redis.call('HSET', key, 'owner', '')
  end
  return 1
end

-- Remove what the ledger holds. KEYS: log. ARGV: fencing token, milliseconds for which places are
-- remembered, then (entry, placed field) each. The number removed, -1 for a token of the past.
local function settle(keys, args)
  local log = keys[1]
  local base = string.sub(log, 1, -4)
  if redis.call('HGET', base .. 'owner', 'token') ~= args[1] then return -1 end
  local ms = now()
  local gone = 0
  for n = 3, #args, 2 do
    if redis.call('XDEL', log, args[n]) == 1 then
      gone = gone + 1
      -- Places outlive their records for a while: an append whose reply was lost asks for them.
      redis.call('RPUSH', base .. 'faded', whole(ms) .. ' ' .. args[n + 1])
    end
  end
  for _ = 1, 2 * gone + 16 do
    local oldest = redis.call('LINDEX', base .. 'faded', 0)
    if not oldest then break end
    local at, field = string.match(oldest, '^(%d+) (.*)$')
    if tonumber(at) + tonumber(args[2]) > ms then break end
    redis.call('LPOP', base .. 'faded')
    redis.call('HDEL', base .. 'placed', field)
  end
  return gone
end

-- A counter whose window ends is forgotten some time after it.
local function keep(keys, seconds)
  if tonumber(seconds) > 0 then
    for _, key in ipairs(keys) do redis.call('EXPIRE', key, seconds) end
  end
end

-- Hold an amount tentatively. KEYS: counter. ARGV: hold, amount, seconds, run's place, seconds to
-- keep the counter. {used by all others, holds past their deadline: (hold, run's place) each}
local function reserve(keys, args)
  local ms = now()
  local fields = redis.call('HGETALL', keys[1])
  local used, overdue = 0, {}
  for n = 1, #fields, 2 do
    local hold = fields[n]
    if hold == 't' then
      used = used + tonumber(fields[n + 1])
    elseif hold ~= 'r:' .. args[1] then
      local amount, ends, place = string.match(fields[n + 1], '^(%S+) (%d+) (.*)$')
      used = used + tonumber(amount)
      if tonumber(ends) <= ms and #overdue < 20 then
        overdue[#overdue + 1] = string.sub(hold, 3)
        overdue[#overdue + 1] = place
      end
    end
  end
  redis.call('HSET', keys[1], 'r:' .. args[1],
             args[2] .. ' ' .. whole(ms + 1000 * tonumber(args[3])) .. ' ' .. args[4])
  keep(keys, args[5])
  return {whole(math.min(used, MAX)), overdue}
end

-- Give back a hold. KEYS: counter. ARGV: hold.
local function release(keys, args)
  return redis.call('HDEL', keys[1], 'r:' .. args[1])
end

-- Apply what an append moved, once. KEYS: counter, moves it knows.
-- ARGV: move, amount, hold, seconds to keep the counter.
local function move(keys, args)
  if redis.call('ZSCORE', keys[2], args[1]) then return 0 end
  local total = tonumber(redis.call('HGET', keys[1], 't') or '0')
  redis.call('HSET', keys[1], 't', whole(clamp(total + tonumber(args[2]))))
  redis.call('ZADD', keys[2], '+inf', args[1])
  redis.call('HDEL', keys[1], 'r:' .. args[3])
  keep(keys, args[4])
  return 1
end

-- The run's partition has forgotten the move: so may the counter, when no one can apply it again
-- who read it there before. KEYS: moves it knows. ARGV: move, milliseconds.
local function moved(keys, args)
  local ms = now()
  redis.call('ZADD', keys[1], 'XX', whole(ms), args[1])
  return redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', whole(ms - tonumber(args[2])))
end

-- What became of a reservation past its deadline. KEYS: log of the run. ARGV: reservation.
-- {move, amounts} of its decision, or nothing: then no decision can confirm it any more.
local function resolve(keys, args)
  local base = string.sub(keys[1], 1, -4)
  local moves = redis.call('HGETALL', base .. 'moves')
  for n = 1, #moves, 2 do
    local reservation, amounts = string.match(moves[n + 1], '^(.-)\n(.*)$')
    if reservation == args[1] then return {moves[n], amounts} end
  end
  redis.call('HSET', base .. 'void', args[1], whole(now()))
  return {}
end

-- Forget what is only remembered for those who come late. ARGV: milliseconds for marks, for voids.
local function tidy(keys, args)
  local base = string.sub(keys[1], 1, -4)
  local ms = now()
  local gone = 0
  for number, kind in ipairs({'halts', 'void'}) do
    local age = tonumber(args[number])
    local cursor = redis.call('GET', base .. 'tidy:' .. kind) or '0'
    local found = redis.call('HSCAN', base .. kind, cursor, 'COUNT', 100)
    for n = 1, #found[2], 2 do
      local at = tonumber(string.match(found[2][n + 1], '(%d+)$'))
      if at + age < ms then
        redis.call('HDEL', base .. kind, found[2][n])
        gone = gone + 1
      end
    end
    if found[1] == '0' then
      redis.call('DEL', base .. 'tidy:' .. kind)
    else
      redis.call('SET', base .. 'tidy:' .. kind, found[1])
    end
  end
  return gone
end

-- A worker lives. KEYS: workers. ARGV: worker, milliseconds. How many do, this one included.
local function beat(keys, args)
  local ms, alive = now(), 1
  local known = redis.call('HGETALL', keys[1])
  for n = 1, #known, 2 do
    local silent = ms - tonumber(known[n + 1])
    if known[n] ~= args[1] and silent <= tonumber(args[2]) then alive = alive + 1 end
    if silent > 100 * tonumber(args[2]) then redis.call('HDEL', keys[1], known[n]) end
  end
  redis.call('HSET', keys[1], args[1], whole(ms))
  return alive
end

local function register(name, callback, flags)
  redis.register_function{
    function_name = 'cr_' .. name .. '_VERSION', callback = callback, flags = flags,
  }
end

register('append', append, {})
register('bring', bring, {})
register('above', above, {})
register('mark', mark, {})
register('reserve', reserve, {})

register('gather', gather, {'no-writes'})
register('decision', decision, {'no-writes'})
register('event', event, {'no-writes'})
register('oldest', oldest, {'no-writes'})
register('placed', placed, {'no-writes'})

-- These make room, or are needed by what makes room: they run when the memory is full as well.
register('settle', settle, {'allow-oom'})
register('beat', beat, {'allow-oom'})
register('own', own, {'allow-oom'})
register('disown', disown, {'allow-oom'})
register('evict', evict, {'allow-oom'})
register('tidy', tidy, {'allow-oom'})
register('unhalt', unhalt, {'allow-oom'})
register('erase', erase, {'allow-oom'})
register('unmark', unmark, {'allow-oom'})
register('release', release, {'allow-oom'})
register('move', move, {'allow-oom'})
register('moved', moved, {'allow-oom'})
register('resolve', resolve, {'allow-oom'})
