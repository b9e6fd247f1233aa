/**
 * What is asked and changed in Redis, as scripts. Redis runs a script as one step: nobody can take a name that it has just
 * found free, and nobody sees half of what it does.
 *
 * The keys, all below one name, such as `{chat}` (the braces keep them together in a cluster):
 *
 * - `:log`            a stream with everything that happens, in the one order. The ids of its entries are the `seq`.
 * - `:names`          the token of each name
 * - `:user:TOKEN`     what is known of a user: name, key of the name, room, process, ...
 * - `:ids:TOKEN`      the ids of the lines that the user has said last
 * - `:room:ROOM`      the tokens of the users in a room, in order of arrival
 * - `:said:ROOM`      a stream with the last lines that were said in a room, with the ids that they have in the log
 * - `:processes`      until when each process counts as alive
 * - `:process:ID`     the tokens of the users who are connected at a process
 * - `:away`           until when each user may come back who has lost the connection
 */
import { Redis } from "effect/persistence"

/** The first arguments of every script. */
export interface Common {
  /** Begins the names of all keys. */
  readonly base: string
  readonly process: string
  /** So long a process counts as alive after it was heard of, in milliseconds. */
  readonly deadAfter: number
  /** So many entries the log keeps, about. */
  readonly logLength: number
  /** So many lines of each room are kept. */
  readonly history: number
}

export type Argument = string | number

const prelude = `
local base, process = KEYS[1], ARGV[1]
local deadAfter, logLength, history = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local log, names = base .. ':log', base .. ':names'
local processes, away = base .. ':processes', base .. ':away'
local function userKey(token) return base .. ':user:' .. token end
local function idsKey(token) return base .. ':ids:' .. token end
local function roomKey(room) return base .. ':room:' .. room end
local function saidKey(room) return base .. ':said:' .. room end
local function processKey(id) return base .. ':process:' .. id end

-- All digits: a large number would be written with an exponent.
local function digits(number) return string.format('%.0f', number) end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Something happens. Gives its place in the order.
local function emit(...)
  return redis.call('XADD', log, 'MAXLEN', '~', logLength, '*', ...)
end

local function enter(token, room)
  redis.call('ZADD', roomKey(room), redis.call('INCR', base .. ':arrivals'), token)
  redis.call('HSET', userKey(token), 'room', room)
end

-- The user is connected at this process.
local function connect(token)
  redis.call('SADD', processKey(process), token)
  redis.call('HSET', userKey(token), 'process', process)
  redis.call('ZREM', away, token)
end

-- The user is connected nowhere.
local function disconnect(token, untilTime)
  redis.call('SREM', processKey(redis.call('HGET', userKey(token), 'process') or ''), token)
  redis.call('HSET', userKey(token), 'process', '')
  redis.call('ZADD', away, digits(untilTime), token)
end

local function leave(token)
  local user = redis.call('HMGET', userKey(token), 'name', 'key', 'room', 'process')
  if not user[1] then return end
  redis.call('DEL', userKey(token), idsKey(token))
  redis.call('HDEL', names, user[2])
  redis.call('ZREM', roomKey(user[3]), token)
  redis.call('SREM', processKey(user[4]), token)
  redis.call('ZREM', away, token)
  emit('tag', 'Left', 'token', token, 'name', user[1], 'room', user[3])
end

-- Of a process that is dead. Who can come back may do so at another one; the others leave. At most so many in one step.
local function bury(id, most)
  local tokens = redis.call('SPOP', processKey(id), most)
  local time = now()
  for _, token in ipairs(tokens) do
    local grace = tonumber(redis.call('HGET', userKey(token), 'grace') or '0')
    if grace > 0 then disconnect(token, time + grace) else leave(token) end
  end
  if redis.call('SCARD', processKey(id)) == 0 then redis.call('ZREM', processes, id) end
  return #tokens
end

-- Whether the user has not said anything with this id. Notes it.
local function isNew(token, id)
  if id == '' then return true end
  if redis.call('ZSCORE', idsKey(token), id) then return false end
  local count = redis.call('HINCRBY', userKey(token), 'ids', 1)
  redis.call('ZADD', idsKey(token), count, id)
  -- Not at each line: from time to time all but the last 1024 go.
  if count % 256 == 0 then redis.call('ZREMRANGEBYRANK', idsKey(token), 0, -1025) end
  return true
end

-- The last thing that a user has done, for somebody who asks again because the answer was lost.
local function isDone(token, operation) return redis.call('HGET', userKey(token), 'operation') == operation end
local function done(token, operation) redis.call('HSET', userKey(token), 'operation', operation) end
`

/** How many arguments of its own come before: those of `Common`. */
const script = <A>(lua: string) =>
  Redis.script(({ base, deadAfter, history, logLength, process }: Common, ...own: ReadonlyArray<Argument>) => [base, process, deadAfter, logLength, history, ...own], {
    lua: prelude + lua,
    numberOfKeys: 1
  }).withReturnType<A>()

export type Script<A> = Redis.Script<{ readonly params: readonly [Common, ...ReadonlyArray<Argument>]; readonly result: A }>

/** This process counts as dead: it has to tell that it is not. */
export const unregistered = 0

/** token, name, key, room, grace: `[seq, online]`, or nothing when somebody has the name. */
export const join: Script<typeof unregistered | readonly [seq: string, online: number] | null> = script(`
local token, name, key, room, grace = unpack(ARGV, 5)
if not redis.call('ZSCORE', processes, process) then return ${unregistered} end
local holder = redis.call('HGET', names, key)
if holder == token then
  local stored = redis.call('HMGET', userKey(token), 'joined', 'online')
  return { stored[1], tonumber(stored[2]) }
end
if holder then return false end
redis.call('HSET', names, key, token)
redis.call('HSET', userKey(token), 'name', name, 'key', key, 'grace', grace)
connect(token)
enter(token, room)
local online = redis.call('HLEN', names)
local seq = emit('tag', 'Joined', 'token', token, 'name', name, 'room', room, 'online', online)
redis.call('HSET', userKey(token), 'joined', seq, 'online', online)
return { seq, online }
`)

/** token */
export const leave: Script<null> = script(`leave(ARGV[5])`)

/** token, milliseconds */
export const lose: Script<null> = script(`
if redis.call('EXISTS', userKey(ARGV[5])) == 1 then disconnect(ARGV[5], now() + tonumber(ARGV[6])) end
`)

/** token, by: `[seq, name, room]`, or nothing when there is no such user. */
export const resume: Script<typeof unregistered | readonly [seq: string, name: string, room: string] | null> = script(`
local token, by = ARGV[5], ARGV[6]
if not redis.call('ZSCORE', processes, process) then return ${unregistered} end
local user = redis.call('HMGET', userKey(token), 'name', 'room', 'process', 'resumed')
if not user[1] then return false end
if isDone(token, by) then return { user[4], user[1], user[2] } end
redis.call('SREM', processKey(user[3]), token)
connect(token)
local seq = emit('tag', 'Resumed', 'token', token, 'name', user[1], 'room', user[2], 'by', by)
redis.call('HSET', userKey(token), 'resumed', seq)
done(token, by)
return { seq, user[1], user[2] }
`)

/** There is no user with the token. */
export const unknown = 0

/** token, operation, and for each line: id (or nothing), manner, text. */
export const say: Script<typeof unknown | 1> = script(`
local token, operation = ARGV[5], ARGV[6]
local user = redis.call('HMGET', userKey(token), 'name', 'room')
if not user[1] then return ${unknown} end
if isDone(token, operation) then return 1 end
local said = saidKey(user[2])
for i = 7, #ARGV, 3 do
  if isNew(token, ARGV[i]) then
    local seq = emit('tag', ARGV[i + 1], 'token', token, 'name', user[1], 'room', user[2], 'text', ARGV[i + 2])
    if history ~= '0' then
      redis.call('XADD', said, 'MAXLEN', history, seq, 'tag', ARGV[i + 1], 'token', token, 'name', user[1], 'room', user[2], 'text', ARGV[i + 2])
    end
  end
end
-- A room that nobody talks in any more is forgotten one day.
redis.call('PEXPIRE', said, 86400000)
done(token, operation)
return 1
`)

/** token, operation, key of the name, text, id (or nothing): the name as it is shown, or nothing when nobody has it. */
export const whisper: Script<typeof unknown | readonly [name: string] | null> = script(`
local token, operation, key, text, id = unpack(ARGV, 5)
local name = redis.call('HGET', userKey(token), 'name')
if not name then return ${unknown} end
local other = redis.call('HGET', names, key)
if not other then return false end
if not isDone(token, operation) then
  if isNew(token, id) then emit('tag', 'Whispered', 'token', token, 'name', name, 'to', other, 'text', text) end
  done(token, operation)
end
return { redis.call('HGET', userKey(other), 'name') }
`)

/** token, name, key: nothing when somebody else has it. */
export const rename: Script<typeof unknown | 1 | null> = script(`
local token, name, key = unpack(ARGV, 5)
local user = redis.call('HMGET', userKey(token), 'name', 'key', 'room')
if not user[1] then return ${unknown} end
local holder = redis.call('HGET', names, key)
if holder and holder ~= token then return false end
if user[1] == name then return 1 end
redis.call('HDEL', names, user[2])
redis.call('HSET', names, key, token)
redis.call('HSET', userKey(token), 'name', name, 'key', key)
emit('tag', 'Renamed', 'token', token, 'name', name, 'room', user[3], 'old', user[1])
return 1
`)

/** token, room */
export const move: Script<typeof unknown | 1> = script(`
local token, room = ARGV[5], ARGV[6]
local user = redis.call('HMGET', userKey(token), 'name', 'room')
if not user[1] then return ${unknown} end
if user[2] == room then return 1 end
redis.call('ZREM', roomKey(user[2]), token)
enter(token, room)
emit('tag', 'Moved', 'token', token, 'name', user[1], 'room', room, 'from', user[2])
return 1
`)

/** room */
export const who: Script<ReadonlyArray<string>> = script(`
local shown = {}
for i, token in ipairs(redis.call('ZRANGE', roomKey(ARGV[5]), 0, -1)) do shown[i] = redis.call('HGET', userKey(token), 'name') end
return shown
`)

/**
 * This process is alive; whoever is not is buried.
 *
 * Whether the process counted as alive, and whether there is more to do. Nobody dies of it that nobody could be heard: when
 * Redis was away, all who were alive before get their time again.
 */
export const beat: Script<readonly [wasAlive: 0 | 1, isMore: 0 | 1]> = script(`
local most = 500
local time = now()
local last = tonumber(redis.call('GET', base .. ':beat') or '0')
redis.call('SET', base .. ':beat', digits(time))
local wasAlive = redis.call('ZSCORE', processes, process) and 1 or 0
redis.call('ZADD', processes, digits(time + deadAfter), process)
if time - last > deadAfter / 2 then
  for _, id in ipairs(redis.call('ZRANGE', processes, 0, -1)) do redis.call('ZADD', processes, digits(time + deadAfter), id) end
end
local count = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', digits(time))) do
  if count < most then count = count + bury(id, most - count) end
end
for _, token in ipairs(redis.call('ZRANGEBYSCORE', away, '-inf', digits(time), 'LIMIT', 0, most)) do
  leave(token)
  count = count + 1
end
return { wasAlive, count >= most and 1 or 0 }
`)

/** This process ends: nobody has to wait for its death. */
export const depart: Script<0 | 1> = script(`
return bury(process, 500) < 500 and 0 or 1
`)

/**
 * For each of the users who are connected here: token, name, key, room, grace. They are still here after all; those whom
 * Redis has forgotten are made again, and nobody is told. The tokens of those for whom it is too late.
 */
export const restore: Script<ReadonlyArray<string>> = script(`
local gone = {}
for i = 5, #ARGV, 5 do
  local token, name, key, room, grace = unpack(ARGV, i, i + 4)
  local at = redis.call('HGET', userKey(token), 'process')
  if at == '' then
    connect(token)
  elseif not at and redis.call('HSETNX', names, key, token) == 1 then
    local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
    redis.call('HSET', userKey(token), 'name', name, 'key', key, 'grace', grace, 'joined', last and last[1] or '0-0', 'online', 0)
    connect(token)
    enter(token, room)
  elseif not at then
    gone[#gone + 1] = token
  end
end
return gone
`)
