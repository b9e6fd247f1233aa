import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, Exit, Fiber, Option, Stream } from "effect"
import { Errors, Timeout } from "effect-nursery"
import type { ByteStream } from "effect-nursery/net/ByteStream"
import { Explore, MemoryStream, StreamKit, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

type Pair = readonly [ByteStream, ByteStream]
type Change = (stream: ByteStream) => Partial<ByteStream>

/** A stream that does what another one does, but for some members. */
const changed = (stream: ByteStream, change: Change): ByteStream => ({
  receive: stream.receive,
  receiveExactly: (bytes) => stream.receiveExactly(bytes),
  receiveUntil: (delimiter, options) => stream.receiveUntil(delimiter, options),
  chunks: stream.chunks,
  lines: stream.lines,
  send: (data) => stream.send(data),
  sendEof: stream.sendEof,
  close: stream.close,
  abort: stream.abort,
  ...change(stream)
})

const asIs: Change = () => ({})
const sender = (change: Change): readonly [Change, Change] => [change, asIs]
const receiver = (change: Change): readonly [Change, Change] => [asIs, change]

const sabotaged = ([first, second]: readonly [Change, Change]): Effect.Effect<Pair> =>
  Effect.map(MemoryStream.pair(), ([left, right]) => [changed(left, first), changed(right, second)])

const brokenRules = async (makePair: Effect.Effect<Pair>): Promise<ReadonlyArray<StreamKit.BrokenRule>> => {
  const exit = await VirtualClock.runExit(StreamKit.checkHalfCloseable(makePair, { maxUnread: 2 ** 20 }))
  if (Exit.isSuccess(exit)) return []
  const [reason] = exit.cause.reasons
  if (reason!._tag !== "Fail") throw new Error(String(exit))
  return reason!.error.broken
}

const closed = Effect.fail(new Errors.Closed({ what: "a sabotaged stream" }))
const broken = Effect.fail(new Errors.Broken({ what: "a sabotaged stream" }))
const bytesOf = (data: Uint8Array | string) => typeof data === "string" ? new TextEncoder().encode(data) : data

/** The first time one thing, then another. */
const firstThen = <A, B>(first: A, then: B) => {
  let isFirst = true
  return (): A | B => {
    const was = isFirst
    isFirst = false
    return was ? first : then
  }
}

/** What waits when a close comes is not told. */
const notTold = <A, E>(self: Effect.Effect<A, E>, tag: string, isOver: () => boolean) =>
  Effect.suspend(() => {
    const before = isOver()
    return Effect.catchCause(self, (cause) => !before && String(cause).includes(tag) ? Effect.never : Effect.failCause(cause))
  })

/** Streams with one bug each, and the rules that find it, from the first of the pair to the second. */
const sabotages: ReadonlyArray<readonly [does: string, how: readonly [Change, Change], rules: ReadonlyArray<string>]> = [
  ["loses a byte of large chunks", receiver((r) => ({
    receive: Effect.map(r.receive, Option.map((bytes) => bytes.length > 2000 ? bytes.subarray(1) : bytes))
  })), ["bytes arrive", "full duplex"]],
  ["swaps bytes", receiver((r) => ({
    receive: Effect.map(r.receive, Option.map((bytes) => bytes.length > 2000 && bytes[0] !== bytes[1] ? bytes.toReversed() : bytes))
  })), ["bytes arrive", "full duplex"]],
  ["takes nothing for the end", receiver((r) => ({
    receive: Effect.map(Timeout.moveOnAfter(r.receive, 1), Option.flatten)
  })), ["receiving waits", "one receiver", "close wakes the receiver"]],
  ["sends an empty send as the end", sender((s) => ({
    send: (data) => data.length === 0 ? s.sendEof : s.send(data)
  })), ["nothing is nothing"]],
  ["sends text as Latin-1", sender((s) => ({
    send: (data) => s.send(typeof data === "string" ? Uint8Array.from(data, (character) => character.charCodeAt(0)) : data)
  })), ["text is UTF-8"]],
  ["sends later what it was given by reference", sender((s) => ({
    send: (data) =>
      data.length !== 6 ? s.send(data) : Effect.asVoid(Effect.forkDetach(Effect.andThen(Effect.yieldNow, s.send(data))))
  })), ["bytes have one owner"]],
  ["gives the same memory twice", receiver((r) => {
    const memory = new Uint8Array(64)
    const kept = (bytes: Uint8Array) => {
      memory.set(bytes.subarray(0, 64))
      return memory.subarray(0, bytes.length)
    }
    let last: Uint8Array | undefined
    return {
      receiveExactly: (count) => Effect.map(r.receiveExactly(count), Option.map((bytes) => {
        // As a ring that is written to before its reader is done.
        if (last !== undefined && last.every((byte) => byte === 122)) bytes.set(last, 0)
        return last = kept(bytes)
      }))
    }
  }), ["bytes have one owner"]],
  ["lets a second receiver wait", receiver((r) => ({
    receive: Effect.catchTag(r.receive, "Busy", () => Effect.never)
  })), ["one receiver"]],
  ["counts wrong in receiveExactly", receiver((r) => ({
    receiveExactly: (bytes) => Effect.map(r.receiveExactly(bytes), Option.map((all) => bytes === 2 ? all.subarray(1) : all))
  })), ["receiveExactly"]],
  ["forgets what receiveExactly had read", receiver((r) => ({
    receiveExactly: (count) =>
      Effect.gen(function*() {
        let all: ReadonlyArray<number> = []
        while (all.length < count) {
          const chunk = yield* r.receive
          if (Option.isNone(chunk)) return all.length === 0 ? chunk : yield* broken
          all = [...all, ...chunk.value]
        }
        return Option.some(Uint8Array.from(all.slice(0, count)))
      })
  })), ["bytes have one owner", "receiveExactly", "streams of a stream", "cancelled receive"]],
  ["leaves the delimiter in place", receiver((r) => ({
    receiveUntil: (delimiter, options) => Effect.map(r.receiveUntil(delimiter, options), Option.map((bytes) => Uint8Array.of(...bytes, ...bytesOf(delimiter))))
  })), ["receiveUntil", "streams of a stream", "cancelled receive"]],
  ["knows no limit", receiver((r) => ({ receiveUntil: (delimiter) => r.receiveUntil(delimiter, { maxBytes: Infinity }) })), ["receiveUntil"]],
  ["reads ahead for its lines", receiver((r) => ({ lines: Stream.splitLines(Stream.decodeText(r.chunks)) })), ["streams of a stream"]],
  ["closes when its chunks have ended", receiver((r) => ({ chunks: Stream.ensuring(r.chunks, r.close) })), ["streams of a stream"]],
  ["loses what comes to a receiver that was cancelled", receiver((r) => {
    let loses = false
    const next: typeof r.receive = Effect.suspend(() => {
      if (!loses) return r.receive
      loses = false
      return Effect.andThen(r.receive, r.receive)
    })
    return {
      receive: next,
      receiveUntil: (delimiter, options) =>
        Effect.suspend(() => {
          if (!loses) return Effect.onInterrupt(r.receiveUntil(delimiter, options), () => Effect.sync(() => void (loses = true)))
          loses = false
          return Effect.andThen(r.receiveExactly(1), r.receiveUntil(delimiter, options))
        })
    }
  }), ["cancelled receive"]],
  ["closes as it aborts", sender((s) => ({ close: s.abort })), [
    "receiveExactly", "receiveUntil", "streams of a stream", "the end", "closed sender", "closing after a cancel", "closing both"
  ]],
  ["tells the end only once", receiver((r) => {
    let told = false
    return { receive: Effect.suspend(() => told ? Effect.never : Effect.tap(r.receive, (chunk) => Effect.sync(() => void (told = Option.isNone(chunk))))) }
  }), ["streams of a stream", "the end", "closed sender", "closing after a cancel", "closing both", "half-close", "sending after sendEof"]],
  ["tells the end as Broken", receiver((r) => ({
    receive: Effect.flatMap(r.receive, (chunk) => Option.isNone(chunk) ? broken : Effect.succeed(chunk))
  })), ["streams of a stream", "the end", "closed sender", "closing after a cancel", "closing both", "half-close", "sending after sendEof"]],
  ["lets a closed stream send nothing", sender((s) => ({ send: (data) => data.length === 0 ? Effect.void : s.send(data) })), ["closed sender"]],
  ["calls its own close Broken", sender((s) => ({ send: (data) => Effect.catchTag(s.send(data), "Closed", () => broken) })), [
    "closed sender", "sender aborted", "close wakes the sender", "abort wakes the sender", "cancelled close", "sending after sendEof"
  ]],
  ["gives what was left to a closed receiver", receiver((r) => ({
    receive: Effect.catchTag(r.receive, "Closed", () => Effect.succeedSome(Uint8Array.of(1)))
  })), ["closed receiver", "receiver aborted", "close wakes the receiver"]],
  ["never notices that the receiver has gone", sender((s) => ({ send: (data) => Effect.catchTag(s.send(data), "Broken", () => Effect.void) })), [
    "receiver gone", "receiver aborted", "receiver gone wakes the sender"
  ]],
  ["is broken only once", sender((s) => {
    const broken = firstThen(undefined, Effect.void)
    return {
      send: (data) =>
        Effect.catchTag(s.send(data), "Broken", (error) => broken() ?? Effect.fail(error))
    }
  }), ["receiver gone", "receiver aborted"]],
  ["aborts in silence", sender((s) => {
    let aborted = false
    return {
      abort: Effect.suspend(() => {
        aborted = true
        return Effect.void
      }),
      send: (data) => Effect.suspend(() => aborted ? closed : s.send(data))
    }
  }), ["sender aborted", "abort wakes the sender"]],
  ["dies when it is closed twice", sender((s) => {
    const close = firstThen(s.close, Effect.die("closed twice"))
    return { close: Effect.suspend(close) }
  }), ["closing again"]],
  ["does not wake its receiver when it closes", receiver((r) => {
    let over = false
    const end = Effect.sync(() => void (over = true))
    return { receive: notTold(r.receive, "Closed", () => over), close: Effect.andThen(end, r.close), abort: Effect.andThen(end, r.abort) }
  }), ["close wakes the receiver"]],
  ["does not wake its receiver when it aborts", receiver((r) => {
    let over = false
    const end = Effect.sync(() => void (over = true))
    return {
      receiveExactly: (bytes) => notTold(r.receiveExactly(bytes), "Closed", () => over),
      close: Effect.andThen(end, r.close),
      abort: Effect.andThen(end, r.abort)
    }
  }), ["abort wakes the receiver"]],
  ["breaks when a receive is cancelled", receiver((r) => ({ receive: Effect.onInterrupt(r.receive, () => r.abort) })), [
    "one receiver", "cancelled receive", "closing after a cancel"
  ]],
  ["takes whatever it is given", sender((s) => ({ send: (data) => Effect.asVoid(Effect.timeoutOption(s.send(data), 1)) })), ["back-pressure"]],
  ["lets a second sender wait", sender((s) => {
    let last: Fiber.Fiber<unknown, any> | undefined
    return {
      send: (data) => Effect.suspend(() => {
        const before = last
        const sending = before === undefined ? s.send(data) : Effect.andThen(Fiber.await(before), s.send(data))
        return Effect.flatMap(Effect.forkChild(sending, { startImmediately: true }), (fiber) => {
          last = fiber
          return Effect.onInterrupt(Fiber.join(fiber), () => Fiber.interrupt(fiber))
        })
      })
    }
  }), ["one sender"]],
  ["sends half of what it was given when it is cancelled", sender((s) => ({
    send: (data) => {
      const bytes = bytesOf(data)
      const middle = bytes.length >> 1
      return middle === 0 ? s.send(bytes) : Effect.andThen(s.send(bytes.subarray(0, middle)), s.send(bytes.subarray(middle)))
    }
  })), ["cancelled send"]],
  ["does not wake its sender when it closes", sender((s) => {
    let over = false
    const end = Effect.sync(() => void (over = true))
    return {
      send: (data) => notTold(s.send(data), "Closed", () => over),
      sendEof: Effect.andThen(end, s.sendEof),
      close: Effect.andThen(end, s.close),
      abort: Effect.andThen(end, s.abort)
    }
  }), ["close wakes the sender", "abort wakes the sender"]],
  ["does not tell a waiting sender that the receiver has gone", sender((s) => {
    let waits = 0
    return {
      send: (data) => data.length === 1 ? notTold(s.send(data), "Broken", () => ++waits > 1) : s.send(data)
    }
  }), ["receiver gone wakes the sender"]],
  ["stays open when its close is cancelled", sender((s) => ({ close: Effect.andThen(Effect.sleep("20 millis"), s.close) })), ["cancelled close"]],
  ["receives only when nobody sends", sender((s) => {
    let sending = 0
    const free = Effect.repeat(Effect.sleep(1), { while: () => sending > 0 })
    return {
      send: (data) => Effect.suspend(() => {
        sending++
        return Effect.ensuring(s.send(data), Effect.sync(() => void sending--))
      }),
      receiveExactly: (bytes) => Effect.andThen(free, s.receiveExactly(bytes))
    }
  }), ["sending waits alone"]],
  ["does not go on receiving while it sends", sender((s) => {
    let receiving = false
    return {
      receiveExactly: (bytes) => Effect.suspend(() => {
        receiving = true
        return Effect.ensuring(s.receiveExactly(bytes), Effect.sync(() => void (receiving = false)))
      }),
      send: (data) => Effect.suspend(() => receiving ? Effect.fail(new Errors.Busy({ what: "it", holder: "it" })) : s.send(data))
    }
  }), ["directions are apart"]],
  ["closes both directions with sendEof", sender((s) => ({ sendEof: s.close })), ["half-close", "sendEof on a closed stream", "sendEof while sending"]],
  ["does not send its end", sender(() => ({ sendEof: Effect.void })), [
    "half-close", "sending after sendEof", "sendEof on a closed stream", "sendEof while sending"
  ]],
  ["cannot send its end twice", sender((s) => {
    const sendEof = firstThen(s.sendEof, closed)
    return { sendEof: Effect.suspend(sendEof) }
  }), ["sending after sendEof"]],
  ["sends its end in the middle of a send", sender((s) => ({ sendEof: Effect.catchTag(s.sendEof, "Busy", () => Effect.void) })), ["sendEof while sending"]]
]

describe("StreamKit.checkHalfCloseable", () => {
  const makers: ReadonlyArray<readonly [string, Effect.Effect<Pair>]> = [
    ["a pair in memory", MemoryStream.pair()],
    ["a pair with a small buffer", MemoryStream.pair({ capacity: 1 })],
    ["a pair that gives a few bytes at a time", MemoryStream.pair({ maxChunkBytes: 7 })],
    ["a pair in lock-step", MemoryStream.lockstepPair()],
    ["a pair in lock-step that gives a few bytes at a time", MemoryStream.lockstepPair({ maxChunkBytes: 100 })],
    ["a pair that somebody has wrapped", sabotaged([asIs, asIs])]
  ]
  for (const [name, makePair] of makers) {
    it(`passes ${name}`, () => VirtualClock.run(StreamKit.checkHalfCloseable(makePair)), 30_000)
  }

  it("passes a pair in memory in real time", () => Effect.runPromise(StreamKit.checkHalfCloseable(MemoryStream.pair())), 20_000)

  for (const [does, how, rules] of sabotages) {
    it(`finds a stream that ${does}, by ${rules.map((rule) => `"${rule}"`).join(", ")}`, async () => {
      const broken = await brokenRules(sabotaged(how))
      assert.deepStrictEqual(
        broken.filter(({ direction }) => direction === "forward").map(({ rule }) => rule),
        [...rules]
      )
    }, 30_000)
  }

  it("has no rule that finds nothing", () => {
    const found = new Set(sabotages.flatMap(([, , rules]) => rules))
    assert.deepStrictEqual(StreamKit.rules.map(({ rule }) => rule).filter((rule) => !found.has(rule)), [])
  })

  it("tells in both directions what is wrong, once for each", async () => {
    const deaf: Change = (stream) => ({ sendEof: Effect.catchTag(stream.sendEof, "Busy", () => Effect.void) })
    assert.deepStrictEqual(
      (await brokenRules(sabotaged([deaf, deaf]))).map(({ direction, rule }) => `${rule} ${direction}`),
      ["sendEof while sending forward", "sendEof while sending backward"]
    )
    assert.deepStrictEqual(
      (await brokenRules(sabotaged([asIs, deaf]))).map(({ direction }) => direction),
      ["backward"]
    )
  })

  it("says what the rule demands and what the stream did", async () => {
    const [first] = await brokenRules(sabotaged(sender((s) => ({ sendEof: Effect.catchTag(s.sendEof, "Busy", () => Effect.void) }))))
    assert.strictEqual(
      new StreamKit.NotConforming({ broken: [first!] }).message,
      "The stream breaks a rule:\n- sendEof while sending: sendEof while a send waits: expected Busy, got success\n  sendEof while a send waits is Busy."
    )
  })

  it("passes on why no pair could be made", async () => {
    const exit = await VirtualClock.runExit(StreamKit.checkTwoWay(Effect.fail("no socket") as Effect.Effect<Pair, string>))
    assert.deepStrictEqual(exit, Exit.fail("no socket"))
  })

  it("releases each pair, and aborts its ends", async () => {
    let made = 0
    let released = 0
    let aborted = 0
    const makePair = Effect.acquireRelease(
      Effect.map(sabotaged([asIs, asIs]), ([left, right]): Pair => {
        made++
        return [left, changed(right, () => ({ abort: Effect.andThen(Effect.sync(() => void aborted++), right.abort) }))]
      }),
      () => Effect.sync(() => void released++)
    )
    await VirtualClock.run(StreamKit.checkOneWay(makePair))
    assert.isAtLeast(made, 25)
    assert.strictEqual(released, made)
    assert.isAtLeast(aborted, made)
  })
})

describe("StreamKit.checkOneWay", () => {
  const oneWayPair = Effect.map(MemoryStream.pair(), ([left, right]) =>
    [
      { send: left.send.bind(left), close: left.close, abort: left.abort } satisfies StreamKit.SendingEnd,
      right as StreamKit.ReceivingEnd
    ] as const)

  it("passes ends that have only what one way needs", () => VirtualClock.run(StreamKit.checkOneWay(oneWayPair)))

  it("takes a clogged pair from whoever can make one, and asks it to wait", async () => {
    const clogged = MemoryStream.lockstepPair()
    await VirtualClock.run(StreamKit.checkOneWay(MemoryStream.pair(), { clogged }))
    const exit = await VirtualClock.runExit(StreamKit.checkOneWay(MemoryStream.pair(), { clogged: MemoryStream.pair() }))
    assert.include(String(exit), "back-pressure: send did not wait, although nobody receives")
  })

  it("gives up on a stream that takes more than allowed", async () => {
    const exit = await VirtualClock.runExit(StreamKit.checkOneWay(MemoryStream.pair({ capacity: 300_000 }), { maxUnread: 200_000 }))
    assert.include(String(exit), "back-pressure: it took 200000 bytes that nobody receives")
  })

  it("holds for streams in memory in every order of events that is tried", () => {
    for (const makePair of [MemoryStream.pair(), MemoryStream.lockstepPair({ maxChunkBytes: 1000 })]) {
      const report = Explore.run(StreamKit.checkOneWay(makePair), { runs: 40, busyHost: false, maxSteps: 1_000_000 })
      assert.strictEqual(report._tag, "Passed", Explore.toText(report))
    }
  }, 30_000)
})

describe("docs/reference/StreamKit.md", () => {
  it("lists all rules as they are", () => {
    const page = fs.readFileSync(path.resolve(import.meta.dirname, "../../docs/reference/StreamKit.md"), "utf8")
    const listed = [...page.matchAll(/^\| ([^|*`]+) \| ([^|]+\.) \|$/gm)].map(([, rule, says]) => `${rule}: ${says}`)
    assert.deepStrictEqual(listed, StreamKit.rules.map(({ rule, says }) => `${rule}: ${says}`))
  })
})
