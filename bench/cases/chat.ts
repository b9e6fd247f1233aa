/**
 * What does it cost to tell a thousand people something, in a chat server with all that one needs?
 *
 * Every server runs in a process of its own, whose figures count. The users are another program, which checks every byte of
 * every line that comes: nothing may be missing, twice, or out of order (M08).
 */
import type { Case, Run, Side } from "../harness/Case.ts"
import { faster, ours, toldAtMost } from "../harness/Case.ts"
import { ChatUsers } from "../load/chat-driver.ts"
import { ChatProcess, type Recipe, recipes } from "../load/chat-process.ts"

const oursByDefault = `${ours}, Node's defaults`
const batch = "node:net, batching"
const raw = "node:net, plain"
const ws = "ws"
const socketIo = "Socket.IO"
const asyncio = "asyncio"
const c = "C, epoll"

const senders = 10
const underWay = 8
const bytes = 40

// --- a thousand users ---

const users = 1000
const joins = "1,000 joins, in s"
const joinsCpu = "CPU of these, in s"
const peak = "peak RSS from the start on, in MB"
const closed = `p99 in ms, with ${underWay} lines of each sender under way`
const open = "p99 in ms, at 20 lines a second"
const openMedian = "p50 of that"
const perSecond = 20
const paceSeconds = 5

/** After the ten runs with which a measurement warms up. */
const warmRuns = 10

const talking = (recipe: Recipe): (() => Promise<Run>) => async () => {
  const server = await ChatProcess.start(recipe)
  const load = new ChatUsers(server)
  const figures = new Map<string, number>()
  let online = 0
  let runs = 0

  const comeIn = async (all: number) => {
    const before = server.cpuMs()
    const { seconds } = await load.join(all)
    figures.set(joins, seconds).set(joinsCpu, (server.cpuMs() - before) / 1000).set(peak, server.peakMB())
    online = all
    await server.collect()
  }
  const keepPace = async () => {
    const { p50, p99 } = await load.pace(paceSeconds * perSecond, senders, perSecond, bytes)
    figures.set(open, p99 / 1000).set(openMedian, p50 / 1000)
  }
  const run: Run = async (n, _, tell) => {
    // A check that everything is there needs one user.
    if (online === 0) await comeIn(Math.min(users, n))
    if (runs++ === warmRuns && online > 1) await keepPace()
    const { delivered, p99 } = await load.say(n / online, Math.min(senders, online), underWay, bytes)
    figures.set(peak, Math.max(figures.get(peak)!, server.peakMB()))
    tell(closed, p99 / 1000)
    for (const [what, figure] of figures) tell(what, figure)
    return delivered
  }
  return Object.assign(run, { elsewhere: server })
}

const million = 1_000_000
const fast: Pick<Side, "n" | "warm" | "atMostRounds"> = { n: million, warm: million / 20, atMostRounds: 3 }
/** Fewer lines, and one round, for those who need a second for each hundred thousand and as many for the joins: all takes four minutes. */
const slow: Pick<Side, "n" | "warm" | "atMostRounds"> = { n: million / 20, warm: users, atMostRounds: 1 }

const chatting: Case = {
  name: "chat",
  question: `What does a line cost that one of ${senders} senders says to ${users} users, for each of them?`,
  reference: batch,
  sides: {
    [ours]: { ...fast, load: talking(recipes.ours), note: "examples/chat/server.ts" },
    [oursByDefault]: { ...fast, atMostRounds: 1, load: talking(recipes.oursByDefault), note: "the same with a young generation of up to 32 MB" },
    [batch]: { ...fast, load: talking(recipes.batch), note: "by hand: one write for each user and turn, nothing else" },
    [raw]: { ...slow, load: talking(recipes.raw), note: "by hand: one write for each user and line" },
    [ws]: { ...slow, load: talking(recipes.ws) },
    [socketIo]: { ...slow, load: talking(recipes.socketIo), note: "over WebSockets alone" },
    [asyncio]: { ...slow, load: talking(recipes.asyncio), note: "a textbook's: one user after the other, each drained" },
    [c]: { ...fast, load: talking(recipes.c), note: "by hand, batching" }
  },
  targets: [
    { ...faster(batch, 0.75, 0.9), what: `${ours}, CPU of the messages: of the speed of ${batch}`, unit: " ×" },
    faster(raw, 30),
    faster(asyncio, 40),
    faster(ws, 40),
    faster(socketIo, 40),
    toldAtMost(joins, " s", 1, 0.3),
    toldAtMost(open, " ms", 14),
    toldAtMost(peak, " MB", 110)
  ],
  notes: [
    "The figures are those of the messages alone; the joins are told apart. Every line was counted, and each of its bytes checked.",
    "The server has a processor of its own, and so have all users together.",
    "Latencies are from the moment a line was sent (at 20 a second: was due) until a receiver had it, over all receivers."
  ]
}

// --- those who say nothing ---

const idle = 8_000
const perConnection = "KiB resident of each idle connection"
/** Fewer than the queue of a listener holds: a connection that finds it full tries again after a second. */
const wave = 400

const silent = (recipe: Recipe): (() => Promise<Run>) => async () => {
  const server = await ChatProcess.start(recipe)
  const load = new ChatUsers(server)
  const none = server.descriptors
  let connected = 0
  const connect = async (more: number) => {
    for (let left = more; left > 0; left -= wave) {
      await load.idle(Math.min(left, wave))
      connected += Math.min(left, wave)
      while (server.descriptors < none + connected) await new Promise((resume) => setTimeout(resume, 5))
    }
    await server.collect()
    return server.residentKiB()
  }
  // The first ones bring code and pools that those after them find.
  const before = await connect(100)
  let figure: number | undefined
  return async (n, _, tell) => {
    const wanted = n + 100
    if (connected < wanted) figure = (await connect(wanted - connected) - before) / n
    else await load.idle(0)
    if (server.descriptors < none + wanted) throw new Error("connections have gone")
    tell(perConnection, figure!)
    return n
  }
}

const idling: Case = {
  name: "chat-idle",
  question: `How much memory does a connection take that says nothing, of ${idle}?`,
  reference: batch,
  sides: Object.fromEntries(
    Object.entries({ [ours]: recipes.ours, [batch]: recipes.batch, [asyncio]: recipes.asyncio, [c]: recipes.c })
      .map(([name, recipe]) => [name, { n: idle, warm: 1, atMostRounds: 2, load: silent(recipe) }])
  ),
  targets: [toldAtMost(perConnection, " KiB", 10)],
  notes: ["Time and CPU are those of the program that counts. The buffers of the system are in no figure."]
}

// --- one who does not read ---

const others = 100
const longBytes = 1000
const extra = "CPU of a line while one does not read, to that while all read"
const toldOf = "of 100 others, told that the one has left"
/** For those whom it stops for ever. */
const patienceSeconds = 5

const stopping = (recipe: Recipe): (() => Promise<Run>) => async () => {
  const server = await ChatProcess.start(recipe)
  const load = new ChatUsers(server)
  const figures = new Map<string, number>()
  let readers = 0
  let runs = 0

  const say = async (n: number) => {
    const before = server.cpuMs()
    const { delivered, left } = await load.say(Math.ceil(n / others), Math.min(senders, readers), underWay, longBytes)
    return { cpu: (server.cpuMs() - before) / delivered, lines: delivered / readers, left }
  }
  const run: Run = async (n, _, tell) => {
    if (readers === 0) {
      await load.join(others + 1)
      await load.patience(patienceSeconds)
      readers = others + 1
    }
    // After the ten runs with which a measurement warms up.
    if (runs++ === warmRuns) {
      // Once before, or the compiler would be at work in the first of the two figures alone.
      await say(n)
      const { cpu: whileAllRead } = await say(n)
      await load.stop()
      readers--
      const { cpu, left } = await say(n)
      figures.set(extra, cpu / whileAllRead).set(toldOf, left)
    }
    for (const [what, figure] of figures) tell(what, figure)
    // A check that everything is there asks for less than one line.
    return Math.min((await say(n)).lines * others, n)
  }
  return Object.assign(run, { elsewhere: server })
}

const stopped: Case = {
  name: "chat-stopped",
  question: `What does one who has stopped reading cost the ${others} others?`,
  reference: batch,
  sides: {
    // More than the system keeps for the one (about 4 MB) and the server may keep (1 MiB).
    [ours]: { n: 10_000 * others, warm: 200 * others, atMostRounds: 2, load: stopping(recipes.ours) },
    [batch]: { n: 10_000 * others, warm: 200 * others, atMostRounds: 2, load: stopping(recipes.batch) },
    [asyncio]: { n: 5_000 * others, warm: 20 * others, atMostRounds: 1, load: stopping(recipes.asyncio), note: "it waits for the one who does not read, and all others wait with it" }
  },
  targets: [
    toldAtMost(extra, " ×", 1.2, 1.05),
    { what: `${ours}: ${toldOf}`, unit: "", better: "higher", must: others, value: (rows) => rows.get(ours)?.told[toldOf] }
  ],
  notes: [`Lines are ${longBytes.toLocaleString("en")} bytes long here.`]
}

export const chat: ReadonlyArray<Case> = [chatting, idling, stopped]
