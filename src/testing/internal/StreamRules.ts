/**
 * What a stream must do, one rule at a time. Each rule is given a new pair of
 * streams, so that one that is broken does not hide the others.
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as MemoryChannel from "../../core/MemoryChannel.ts"
import * as Nursery from "../../core/Nursery.ts"
import * as Tasks from "../../core/Tasks.ts"
import * as Timeout from "../../core/Timeout.ts"
import type { ByteStream } from "../../net/ByteStream.ts"
import { SeededRandom } from "./SeededRandom.ts"

/** What a rule that is about sending needs of a stream. */
export type SendingEnd = Pick<ByteStream, "send" | "close" | "abort">

/** What a rule that is about receiving needs of a stream. */
export type ReceivingEnd = Pick<
  ByteStream,
  "receive" | "receiveExactly" | "receiveUntil" | "chunks" | "lines" | "close" | "abort"
>

type Check = Effect.Effect<unknown, unknown>

export interface Rule<S, R> {
  readonly name: string
  readonly says: string
  /** The pair is one whose sender has to wait. */
  readonly clogged?: boolean
  readonly check: (sender: S, receiver: R) => Check
}

/** What a stream did instead. */
export class Violation extends Data.TaggedError("Violation")<{ readonly why: string }> {
  override get message(): string {
    return this.why
  }
}

const violation = (why: string): Effect.Effect<never, Violation> => Effect.fail(new Violation({ why }))

const expect = (condition: boolean, why: () => string): Effect.Effect<void, Violation> =>
  condition ? Effect.void : Effect.suspend(() => violation(why()))

/** A moment for everybody to come to where they wait. In virtual time it ends only then. */
const settle: Effect.Effect<void> = Effect.sleep("10 millis")

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const shown = (bytes: Uint8Array): string =>
  bytes.length > 40 ? `${bytes.length} bytes` : `${JSON.stringify(decoder.decode(bytes))}`

const shownExit = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isFailure(exit)) return wordsOf(exit.cause)
  const { value } = exit
  if (Option.isOption(value)) {
    return Option.isNone(value) ? "the end" : value.value instanceof Uint8Array ? shown(value.value) : String(value.value)
  }
  return "success"
}

export const wordsOf = (cause: Cause.Cause<unknown>): string =>
  cause.reasons.map((reason) => {
    switch (reason._tag) {
      case "Fail":
        return tagOf(reason.error) ?? String(reason.error)
      case "Die":
        return `the defect ${String(reason.defect)}`
      case "Interrupt":
        return "an interruption"
    }
  }).join(" and ")

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : undefined

const tagOfExit = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const [reason] = exit.cause.reasons
  return exit.cause.reasons.length === 1 && reason!._tag === "Fail" ? tagOf(reason!.error) : undefined
}

/** `self` fails with this error, and with nothing else. */
const refused = (self: Effect.Effect<unknown, unknown>, tag: string, doing: string): Check =>
  Effect.flatMap(Effect.exit(self), (exit) => expect(tagOfExit(exit) === tag, () => `${doing}: expected ${tag}, got ${shownExit(exit)}`))

/** Receives so many bytes by `receive` alone. */
const collect = (receiver: Pick<ReceivingEnd, "receive">, count: number): Effect.Effect<Uint8Array, unknown> =>
  Effect.gen(function*() {
    const bytes = new Uint8Array(count)
    let at = 0
    while (at < count) {
      const chunk = yield* receiver.receive
      if (Option.isNone(chunk)) return yield* violation(`the end came after ${at} of ${count} bytes`)
      if (chunk.value.length === 0) return yield* violation("receive gave an empty chunk")
      if (at + chunk.value.length > count) return yield* violation(`${at + chunk.value.length} bytes came where ${count} were sent`)
      bytes.set(chunk.value, at)
      at += chunk.value.length
    }
    return bytes
  })

const collects = (receiver: Pick<ReceivingEnd, "receive">, text: string): Check =>
  Effect.flatMap(
    collect(receiver, encoder.encode(text).length),
    (bytes) => expect(decoder.decode(bytes) === text, () => `sent ${JSON.stringify(text)}, received ${shown(bytes)}`)
  )

/** The end, as often as one asks. */
const ends = (receiver: Pick<ReceivingEnd, "receive">): Check =>
  Effect.gen(function*() {
    for (const which of ["the", "once more the"]) {
      const exit = yield* Effect.exit(receiver.receive)
      yield* expect(Exit.isSuccess(exit) && Option.isNone(exit.value), () => `expected ${which} end, got ${shownExit(exit)}`)
    }
  })

const is = (self: Effect.Effect<Option.Option<Uint8Array>, unknown>, text: string | undefined, doing: string): Check =>
  Effect.flatMap(Effect.exit(self), (exit) => {
    const got = Exit.isSuccess(exit) ? Option.getOrUndefined(Option.map(exit.value, (bytes) => decoder.decode(bytes))) : null
    return expect(got === text, () => `${doing}: expected ${text === undefined ? "the end" : JSON.stringify(text)}, got ${shownExit(exit)}`)
  })

const message = new Uint8Array(100).fill(120)

/** The world may take a while to tell the sender. */
const breaksInTheEnd = (sender: SendingEnd): Check =>
  Effect.gen(function*() {
    for (;;) {
      const exit = yield* Effect.exit(sender.send(message))
      if (tagOfExit(exit) === "Broken") break
      yield* expect(Exit.isSuccess(exit), () => `sending to a receiver that is gone: expected Broken in the end, got ${shownExit(exit)}`)
      yield* Effect.sleep("1 millis")
    }
    yield* refused(sender.send(message), "Broken", "sending once more after Broken")
  })

/** Runs `self` beside `meanwhile`, and gives how it ended. */
const beside = (self: Effect.Effect<unknown, unknown>, meanwhile: Check): Effect.Effect<Exit.Exit<unknown, unknown>, unknown> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const task = yield* n.startNow(Effect.exit(self))
      yield* settle
      yield* meanwhile
      return yield* task.join
    })
  )

/** Cancels it when it has had time to wait. */
const cancelled = (self: Effect.Effect<unknown, unknown>): Check =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const task = yield* n.startNow(Effect.exit(self))
      yield* settle
      yield* task.cancel()
    })
  )

/** The end of a clogged stream, up to what `self` sent; it receives everything in between. */
const drainTo = (receiver: ReceivingEnd, mark: string): Effect.Effect<Uint8Array, unknown> =>
  Effect.gen(function*() {
    let tail = new Uint8Array(0)
    for (;;) {
      const chunk = yield* receiver.receive
      if (Option.isNone(chunk)) return yield* violation("the end came before what was sent last")
      const joined = new Uint8Array(tail.length + chunk.value.length)
      joined.set(tail)
      joined.set(chunk.value, tail.length)
      // More than any rule here looks at.
      tail = joined.slice(-4096)
      if (decoder.decode(tail).endsWith(mark)) return tail
    }
  })

/** All that comes, until somebody has no more need of it. */
const drain = (receiver: ReceivingEnd): Check => Effect.ignore(Effect.forever(receiver.receive))

export const oneWay: ReadonlyArray<Rule<SendingEnd, ReceivingEnd>> = [
  {
    name: "bytes arrive",
    says: "What is sent is received: all of it, in order, and nothing else.",
    check: (s, r) =>
      Effect.gen(function*() {
        const random = new SeededRandom(1)
        const bytes = Uint8Array.from({ length: 50_000 }, () => random.below(256))
        const sending = Effect.gen(function*() {
          for (let at = 0; at < bytes.length;) {
            const end = at + 1 + random.below(5000)
            yield* s.send(bytes.slice(at, end))
            at = end
          }
        })
        const [, got] = yield* Tasks.gather([sending, collect(r, bytes.length)])
        const wrong = got.findIndex((byte, i) => byte !== bytes[i])
        yield* expect(wrong === -1, () => `byte ${wrong} is ${got[wrong]}, and ${bytes[wrong]} was sent`)
      })
  },
  {
    name: "receiving waits",
    says: "Receive waits while there is nothing, and goes on when something comes.",
    check: (s, r) =>
      Effect.gen(function*() {
        const exit = yield* beside(collects(r, "x"), s.send("x"))
        yield* exit
        const early = yield* Timeout.moveOnAfter(Effect.exit(r.receive), "10 millis")
        yield* expect(Option.isNone(early), () => `nothing was sent, and receive gave ${shownExit(Option.getOrThrow(early))}`)
      })
  },
  {
    name: "nothing is nothing",
    says: "Sending no bytes sends nothing: no empty chunk, and no end.",
    check: (s, r) =>
      Tasks.gather([
        Effect.andThen(s.send(new Uint8Array(0)), Effect.andThen(s.send(""), s.send("y"))),
        collects(r, "y")
      ])
  },
  {
    name: "text is UTF-8",
    says: "A string is sent as UTF-8.",
    check: (s, r) => Tasks.gather([s.send("h\u00e9llo \u20ac \u{1f600}"), collects(r, "h\u00e9llo \u20ac \u{1f600}")])
  },
  {
    name: "bytes have one owner",
    says: "When send has ended, its data may be changed; who has received a chunk may change it.",
    check: (s, r) =>
      Tasks.gather([
        Effect.gen(function*() {
          const data = encoder.encode("abcdef")
          yield* s.send(data)
          data.fill(120)
          yield* s.send("ghijkl")
        }),
        Effect.gen(function*() {
          yield* settle
          const first = Option.getOrThrow(yield* r.receiveExactly(3))
          yield* expect(decoder.decode(first) === "abc", () => `sent "abc", received ${shown(first)}`)
          first.fill(122)
          yield* is(r.receiveExactly(9), "defghijkl", "the bytes after a chunk that was changed")
        })
      ])
  },
  {
    name: "one receiver",
    says: "A second receive at the same time is Busy, of whichever kind; the first goes on.",
    check: (s, r) =>
      Effect.gen(function*() {
        for (const other of [r.receive, r.receiveExactly(1), r.receiveUntil("\n")]) {
          const exits = yield* Nursery.open((n) =>
            Effect.gen(function*() {
              const tasks = [yield* n.startNow(Effect.exit(r.receive)), yield* n.startNow(Effect.exit(other))]
              yield* settle
              yield* n.startNow(Effect.exit(s.send("a\n")), { service: true })
              return yield* Effect.forEach(tasks, (task) => task.join)
            })
          )
          const tags = exits.map((exit) => tagOfExit(exit) ?? "success").sort()
          yield* expect(tags.join() === "Busy,success", () => `two received at once: expected one Busy, got ${tags.join(" and ")}`)
          // The rest of it, if the first was of a kind that leaves some.
          yield* Effect.repeat(Timeout.moveOnAfter(r.receive, "10 millis"), { while: Option.isSome })
        }
      })
  },
  {
    name: "receiveExactly",
    says: "receiveExactly gives so many bytes, however they came, and leaves the rest; the end before the first is a value, in the middle it is Broken.",
    check: (s, r) =>
      Tasks.gather([
        Effect.gen(function*() {
          for (const part of ["abc", "de", "fgh"]) {
            yield* s.send(part)
            yield* settle
          }
          yield* s.close
        }),
        Effect.gen(function*() {
          yield* is(r.receiveExactly(4), "abcd", "receiveExactly(4)")
          yield* is(r.receiveExactly(2), "ef", "receiveExactly(2)")
          yield* refused(r.receiveExactly(3), "Broken", "receiveExactly(3) where the end comes after two")
          yield* is(r.receiveExactly(2), "gh", "receiveExactly(2) after that")
          yield* is(r.receiveExactly(1), undefined, "receiveExactly(1) at the end")
        })
      ])
  },
  {
    name: "receiveUntil",
    says: "receiveUntil gives what stands before the delimiter and leaves what follows; what is too long, or ends without one, stays.",
    check: (s, r) =>
      Tasks.gather([
        Effect.gen(function*() {
          for (const part of ["one\r", "\ntwo\r\n\r\nlo", "ng one\r\n", "rest"]) {
            yield* s.send(part)
            yield* settle
          }
          yield* s.close
        }),
        Effect.gen(function*() {
          yield* is(r.receiveUntil("\r\n"), "one", "receiveUntil")
          yield* is(r.receiveUntil(encoder.encode("\r\n")), "two", "receiveUntil with bytes")
          yield* is(r.receiveUntil("\r\n"), "", "receiveUntil where two delimiters follow each other")
          yield* refused(r.receiveUntil("\r\n", { maxBytes: 7 }), "TooLong", "receiveUntil of 8 bytes where 7 are allowed")
          yield* is(r.receiveUntil("\r\n", { maxBytes: 8 }), "long one", "the same where 8 are allowed")
          yield* refused(r.receiveUntil("\r\n"), "Broken", "receiveUntil where the end comes first")
          yield* is(r.receiveExactly(4), "rest", "receiveExactly after that")
          yield* is(r.receiveUntil("\r\n"), undefined, "receiveUntil at the end")
        })
      ])
  },
  {
    name: "streams of a stream",
    says: "chunks and lines end at the end, can be left, and close nothing.",
    check: (s, r) =>
      Tasks.gather([
        Effect.gen(function*() {
          yield* s.send("one\r\ntwo\n")
          yield* settle
          yield* s.send("three\nabc")
          yield* s.close
        }),
        Effect.gen(function*() {
          yield* settle
          const lines = yield* Stream.runCollect(Stream.take(r.lines, 1))
          yield* expect(lines[0] === "one", () => `the first line is ${JSON.stringify(lines[0])}`)
          yield* is(r.receiveUntil("\n"), "two", "receiveUntil after a line")
          yield* is(r.receiveExactly(6), "three\n", "receiveExactly after that")
          const chunks = yield* Stream.runCollect(r.chunks)
          const text = chunks.map((chunk) => decoder.decode(chunk)).join("")
          yield* expect(text === "abc", () => `the chunks are ${JSON.stringify(text)}`)
          yield* expect((yield* Stream.runCollect(r.lines)).length === 0, () => "there is a line behind the end")
          yield* ends(r)
        })
      ])
  },
  {
    name: "cancelled receive",
    says: "Who is cancelled while it receives takes nothing away: what has come and what comes is there for the next receive, of whichever kind.",
    check: (s, r) =>
      Effect.gen(function*() {
        yield* cancelled(r.receive)
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            // A send may wait until its bytes have really been taken: so they all wait in a task of their own.
            const parts = yield* MemoryChannel.make<string>(Infinity)
            yield* n.startSoon(Stream.runForEach(parts[1].stream, (part) => s.send(part)), { service: true })
            for (const [part, receiving] of [["ab", r.receiveExactly(4)], ["c", r.receiveUntil("\n")], ["d", r.receiveExactly(5)]] as const) {
              const task = yield* n.startNow(Effect.exit(receiving))
              yield* settle
              yield* parts[0].send(part)
              yield* settle
              yield* task.cancel()
            }
            yield* parts[0].send("e\n")
            yield* is(r.receiveUntil("\n"), "abcde", "receiveUntil after receives that were cancelled")
            yield* parts[0].send("f")
            yield* is(r.receive, "f", "receive after that")
          })
        )
      })
  },
  {
    name: "the end",
    says: "Closing the sender delivers what was sent, and then the end, again and again.",
    check: (s, r) =>
      Tasks.gather([
        Effect.andThen(s.send("y"), s.close),
        // The sender gets as far as it can first.
        Effect.andThen(settle, Effect.andThen(collects(r, "y"), Effect.andThen(ends(r), r.close)))
      ])
  },
  {
    name: "closed sender",
    says: "Sending on a stream that was closed is Closed, also of nothing.",
    check: (s, r) =>
      Effect.gen(function*() {
        yield* s.close
        yield* refused(s.send("x"), "Closed", "sending after close")
        yield* refused(s.send(""), "Closed", "sending nothing after close")
        yield* ends(r)
      })
  },
  {
    name: "closed receiver",
    says: "Receiving on a stream that was closed is Closed, of whichever kind, also when something had come.",
    check: (s, r) =>
      Effect.gen(function*() {
        yield* Tasks.gather([s.send("xyz"), Effect.andThen(is(r.receiveExactly(1), "x", "receiveExactly(1)"), r.close)]).pipe(Effect.exit)
        yield* refused(r.receive, "Closed", "receive after close")
        yield* refused(r.receiveExactly(1), "Closed", "receiveExactly after close")
        yield* refused(r.receiveUntil("\n"), "Closed", "receiveUntil after close")
        yield* refused(Stream.runDrain(r.chunks), "Closed", "chunks after close")
      })
  },
  {
    name: "receiver gone",
    says: "When the receiver has closed, sending is Broken in the end, and stays so.",
    check: (s, r) => Effect.andThen(r.close, breaksInTheEnd(s))
  },
  {
    name: "receiver aborted",
    says: "When the receiver was aborted, sending is Broken in the end, and stays so; receiving there is Closed.",
    check: (s, r) => Effect.andThen(r.abort, Effect.andThen(breaksInTheEnd(s), refused(r.receive, "Closed", "receive after abort")))
  },
  {
    name: "sender aborted",
    says: "When the sender was aborted, sending there is Closed; the receiver is told Broken or the end, and does not wait.",
    check: (s, r) =>
      Effect.gen(function*() {
        yield* s.abort
        yield* refused(s.send("x"), "Closed", "sending after abort")
        const exit = yield* Effect.exit(r.receive)
        const isEnd = Exit.isSuccess(exit) && Option.isNone(exit.value)
        yield* expect(isEnd || tagOfExit(exit) === "Broken", () => `expected Broken or the end, got ${shownExit(exit)}`)
      })
  },
  {
    name: "closing again",
    says: "Closing and aborting again, in whichever order, does nothing.",
    check: (s, r) => Effect.forEach([s.close, s.close, s.abort, s.close, r.abort, r.close, r.abort], (again) => again)
  },
  {
    name: "close wakes the receiver",
    says: "Whoever receives when the stream is closed on the same side is told Closed.",
    check: (_, r) => Effect.flatMap(Effect.exit(beside(r.receive, r.close)), (exit) => wakesWith(exit, "Closed", "receive, and then close"))
  },
  {
    name: "abort wakes the receiver",
    says: "Whoever receives when the stream is aborted on the same side is told Closed.",
    check: (_, r) =>
      Effect.flatMap(Effect.exit(beside(r.receiveExactly(10), r.abort)), (exit) => wakesWith(exit, "Closed", "receiveExactly, and then abort"))
  },
  {
    name: "closing after a cancel",
    says: "A stream whose receive was cancelled can be closed in order.",
    check: (s, r) => Effect.andThen(cancelled(r.receive), Effect.andThen(s.close, Effect.andThen(ends(r), r.close)))
  },
  {
    name: "back-pressure",
    says: "Send waits while the peer does not receive, and goes on when it does.",
    clogged: true,
    check: (s, r) =>
      Effect.gen(function*() {
        const early = yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const sending = yield* n.startNow(Effect.exit(s.send("\x00sent at last")))
            yield* settle
            const early = sending.poll
            yield* drainTo(r, "\x00sent at last")
            yield* (yield* sending.join)
            return early
          })
        )
        yield* expect(Option.isNone(early), () => "send did not wait, although nobody receives")
      })
  },
  {
    name: "one sender",
    says: "A second send while one waits is Busy, and the first goes on.",
    clogged: true,
    check: (s, r) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          const tasks = [yield* n.startNow(Effect.exit(s.send("1"))), yield* n.startNow(Effect.exit(s.send("2")))]
          yield* settle
          yield* n.startNow(drain(r), { service: true })
          const exits = yield* Effect.forEach(tasks, (task) => task.join)
          const tags = exits.map((exit) => tagOfExit(exit) ?? "success").sort()
          yield* expect(tags.join() === "Busy,success", () => `two sent at once: expected one Busy, got ${tags.join(" and ")}`)
        })
      )
  },
  {
    name: "cancelled send",
    says: "What a cancelled send was to send goes out as a whole or not at all, and the stream stays usable.",
    clogged: true,
    check: (s, r) =>
      Effect.gen(function*() {
        const whole = `\x00${"m".repeat(1000)}\x01`
        yield* cancelled(s.send(whole))
        const [, tail] = yield* Tasks.gather([s.send("\x02after"), drainTo(r, "\x02after")])
        const text = decoder.decode(tail)
        const before = text.slice(0, -"\x02after".length)
        const parts = before.includes("\x00") || before.includes("m") || before.includes("\x01")
        yield* expect(!parts || before.endsWith(whole), () => "a part of what a cancelled send was to send has gone out")
      })
  },
  {
    name: "close wakes the sender",
    says: "Whoever waits to send when the stream is closed on the same side is told Closed.",
    clogged: true,
    check: (s, r) => {
      // A close may wait for the peer for seconds; that is not what this is about.
      const close = Tasks.gather([s.close, Effect.andThen(Effect.sleep("200 millis"), r.abort)])
      return Effect.flatMap(Effect.exit(beside(s.send("x"), close)), (exit) => wakesWith(exit, "Closed", "send, and then close"))
    }
  },
  {
    name: "abort wakes the sender",
    says: "Whoever waits to send when the stream is aborted on the same side is told Closed.",
    clogged: true,
    check: (s) => Effect.flatMap(Effect.exit(beside(s.send("x"), s.abort)), (exit) => wakesWith(exit, "Closed", "send, and then abort"))
  },
  {
    name: "receiver gone wakes the sender",
    says: "Whoever waits to send when the receiver is gone does not wait on: it is told Broken.",
    clogged: true,
    check: (s, r) => Effect.flatMap(Effect.exit(beside(s.send("x"), r.abort)), (exit) => wakesWith(exit, "Broken", "send, and then the receiver is aborted"))
  },
  {
    name: "cancelled close",
    says: "A close that is cancelled while it waits for the peer has closed the stream.",
    clogged: true,
    check: (s, r) =>
      Effect.gen(function*() {
        yield* cancelled(s.close)
        yield* refused(s.send("x"), "Closed", "sending after a close that was cancelled")
        // It takes what has got through, and then what an aborted or closed stream ends with.
        const exit = yield* Effect.exit(Stream.runDrain(r.chunks))
        yield* expect(Exit.isSuccess(exit) || tagOfExit(exit) === "Broken", () => `expected Broken or the end, got ${shownExit(exit)}`)
      })
  }
]

const wakesWith = (exit: Exit.Exit<Exit.Exit<unknown, unknown>, unknown>, tag: string, doing: string): Check =>
  Exit.isFailure(exit) ? exit : refused(exit.value, tag, doing)

const duplexBytes = 2 ** 18
const duplexChunk = 2 ** 14

export const twoWay: ReadonlyArray<Rule<ByteStream, ByteStream>> = [
  {
    name: "full duplex",
    says: "Both sides send and receive at the same time, and every byte arrives.",
    check: (a, b) => {
      const random = new SeededRandom(2)
      const there = Uint8Array.from({ length: duplexBytes }, () => random.below(256))
      const back = there.slice().reverse()
      const sending = (stream: ByteStream, bytes: Uint8Array, seed: number) =>
        Effect.gen(function*() {
          const random = new SeededRandom(seed)
          for (let at = 0; at < bytes.length;) {
            const end = at + 1 + random.below(duplexChunk)
            yield* stream.send(bytes.slice(at, end))
            at = end
          }
        })
      const receiving = (stream: ByteStream, bytes: Uint8Array) =>
        Effect.flatMap(collect(stream, bytes.length), (got) => {
          const wrong = got.findIndex((byte, i) => byte !== bytes[i])
          return expect(wrong === -1, () => `byte ${wrong} is ${got[wrong]}, and ${bytes[wrong]} was sent`)
        })
      return Tasks.gather([sending(a, there, 3), sending(b, back, 4), receiving(a, back), receiving(b, there)])
    }
  },
  {
    name: "directions are apart",
    says: "One task may receive while another one sends.",
    check: (a, b) =>
      Effect.gen(function*() {
        const exit = yield* beside(
          is(a.receiveExactly(6), "answer", "receiveExactly(6)"),
          Effect.gen(function*() {
            yield* Tasks.gather([a.send("question"), is(b.receiveExactly(8), "question", "receiveExactly(8) on the other side")])
            yield* b.send("answer")
          })
        )
        yield* exit
      })
  },
  {
    name: "sending waits alone",
    says: "A side that waits to send can receive.",
    clogged: true,
    check: (a, b) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.exit(a.send("x")), { service: true })
          yield* Tasks.gather([b.send("hello"), is(a.receiveExactly(5), "hello", "receiveExactly(5)")])
        })
      )
  },
  {
    name: "closing both",
    says: "When one side closes, the other one receives the end, and closes.",
    check: (a, b) =>
      Tasks.gather([a.close, Effect.andThen(ends(b), b.close)])
  }
]

export const halfCloseable: ReadonlyArray<Rule<ByteStream, ByteStream>> = [
  {
    name: "half-close",
    says: "sendEof sends the end, and the other direction goes on.",
    check: (a, b) =>
      Effect.gen(function*() {
        yield* Tasks.gather([Effect.andThen(a.send("x"), a.sendEof), Effect.andThen(settle, Effect.andThen(collects(b, "x"), ends(b)))])
        yield* Tasks.gather([Effect.andThen(b.send("yz"), b.sendEof), Effect.andThen(settle, Effect.andThen(collects(a, "yz"), ends(a)))])
        yield* Tasks.gather([a.close, b.close])
      })
  },
  {
    name: "sending after sendEof",
    says: "Sending after sendEof is Closed; sendEof again does nothing.",
    check: (a, b) =>
      Effect.gen(function*() {
        yield* a.sendEof
        yield* refused(a.send("y"), "Closed", "sending after sendEof")
        yield* a.sendEof
        yield* ends(b)
      })
  },
  {
    name: "sendEof on a closed stream",
    says: "sendEof on a stream that was closed is Closed.",
    check: (a) => Effect.andThen(a.close, refused(a.sendEof, "Closed", "sendEof after close"))
  },
  {
    name: "sendEof while sending",
    says: "sendEof while a send waits is Busy.",
    clogged: true,
    check: (a) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.exit(a.send("x")), { service: true })
          yield* settle
          yield* refused(a.sendEof, "Busy", "sendEof while a send waits")
        })
      )
  }
]
