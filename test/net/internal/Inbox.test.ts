/** The inbox in every order of events, with a cancel at every step: no byte is lost, none comes twice, and nobody sleeps on what has come. */
import { Effect, Exit, Fiber, Option, Stream } from "effect"
import { Errors, Nursery, Tasks } from "effect-nursery"
import { Explore } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { Chunks } from "../../../src/net/internal/Chunks.ts"
import { Inbox } from "../../../src/net/internal/Inbox.ts"

/** A source that gives one piece whenever it may, and stops when it is told to. */
class Tap {
  readonly label = "tap"
  readonly inbox: Inbox = new Inbox(this)
  flowing = false
  flow(): void {
    this.flowing = true
  }
  halt(): void {
    this.flowing = false
  }
}

const bytes = (text: string) => Buffer.from(text)
const text = (all: ReadonlyArray<Uint8Array>) => Buffer.concat(all).toString()

/** Gives the pieces, and lets others run in between. */
const giving = ({ inbox }: Tap, pieces: ReadonlyArray<string>, given: Array<string>) => {
  const give = (piece: string) =>
    Effect.sync(() => {
      given.push(piece)
      inbox.push(bytes(piece))
    })
  return Effect.forEach(pieces, (piece) => Effect.andThen(give(piece), Effect.yieldNow), { discard: true })
}

type Failure = { readonly _tag: string }
type Take = Effect.Effect<Option.Option<Uint8Array>, Failure>

/** Takes until the end, and writes down what it got, in the step that gets it. */
const taking = (take: Take, got: Array<string>, delimiter = ""): Effect.Effect<void, Failure> =>
  Effect.flatMap(take, (taken) => {
    if (Option.isNone(taken)) return Effect.void
    got.push(text([taken.value]) + delimiter)
    return taking(take, got, delimiter)
  })

const explore = <A, E>(program: Effect.Effect<A, E>, options: Explore.Options<A, E>): void => {
  const report = Explore.run(program, options)
  assert.strictEqual(report._tag, "Passed", Explore.toText(report))
}

const ways: ReadonlyArray<readonly [name: string, take: (inbox: Inbox) => Take, delimiter?: string]> = [
  ["receive", (inbox) => inbox.receive],
  ["receiveExactly", (inbox) => inbox.receiveExactly(3)],
  ["receiveUntil", (inbox) => inbox.receiveUntil("c"), "c"]
]

describe("Inbox", () => {
  it("keeps little alive for the little that lies there, and copies nothing that somebody waits for", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { inbox } = new Tap()
      const part = (of: Uint8Array) => of.subarray(10, 13)
      const large = Buffer.alloc(65_536, "a")
      const taken = yield* Effect.forkChild(inbox.receive, { startImmediately: true })
      inbox.push(part(large))
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(taken)).buffer, large.buffer)
      inbox.push(part(large))
      const kept = Option.getOrThrow(yield* inbox.receive)
      assert.deepStrictEqual([text([kept]), kept.buffer.byteLength], ["aaa", 3])
      // Somebody waits, but for more than that.
      const exactly = yield* Effect.forkChild(inbox.receiveExactly(6), { startImmediately: true })
      inbox.push(part(large))
      large.fill("b")
      inbox.push(part(large))
      assert.strictEqual(text([Option.getOrThrow(yield* Fiber.join(exactly))]), "aaabbb")
    })))

  for (const [name, take, delimiter] of ways) {
    it(`${name} loses no byte, whoever is cancelled when`, () => {
      const program = Effect.suspend(() => {
        const tap = new Tap()
        const got: Array<string> = []
        const given: Array<string> = []
        const both = Nursery.open((n) => Effect.gen(function*() {
          yield* n.startSoon(Effect.ignore(taking(take(tap.inbox), got, delimiter)), { name: "reader" })
          const peer = yield* n.startSoon(giving(tap, ["ab", "ca", "bcabc", "a", "b", "c"], given), { name: "peer" })
          yield* peer.await
          tap.inbox.end()
        }))
        // Whatever happened to them: what was given has been received or is still there.
        const rest = Effect.andThen(Effect.sync(() => tap.inbox.end()), Effect.exit(taking(tap.inbox.receive, got)))
        return Effect.ensuring(both, Effect.map(rest, () => assert.strictEqual(got.join(""), given.join(""))))
      })
      explore(program, {
        runs: 1000,
        cancelEverywhere: true,
        accepts: (exit) => Exit.isSuccess(exit) || exit.cause.reasons.every((reason) => reason._tag === "Interrupt")
      })
    })
  }

  it("gives everything to readers of whom the second is refused, in every order", () => {
    const program = Effect.suspend(() => {
      const tap = new Tap()
      const got: Array<string> = []
      const reader = Effect.exit(taking(tap.inbox.receive, got))
      return Effect.map(Tasks.gather([reader, reader, giving(tap, ["ab", "c", "def"], []).pipe(Effect.andThen(Effect.sync(() => tap.inbox.end())))]), () => got.join(""))
    })
    explore(program, { runs: "all", maxPauses: 2, holds: (all) => all === "abcdef" })
  })

  it("wakes whoever waits, whatever ends the inbox, in every order", () => {
    const endings: ReadonlyArray<(inbox: Inbox) => void> = [
      (inbox) => inbox.end(),
      (inbox) => inbox.fail(new Errors.Broken({ what: "tap" })),
      (inbox) => inbox.close()
    ]
    for (const ending of endings) {
      for (const [, take] of ways) {
        const program = Effect.suspend(() => {
          const tap = new Tap()
          const got: Array<string> = []
          return Tasks.gather([Effect.exit(taking(take(tap.inbox), got)), Effect.sync(() => ending(tap.inbox))])
        })
        explore(program, { runs: "all" })
      }
    }
  })

  it("asks its source to stop at 64 KiB, and to go on at 32", () =>
    Effect.runPromise(Effect.gen(function*() {
      const tap = new Tap()
      const { inbox } = tap
      assert.isFalse(tap.flowing, "nobody has received yet")
      inbox.push(new Uint8Array(1))
      yield* inbox.receive
      assert.isTrue(tap.flowing)
      inbox.push(new Uint8Array(65_535))
      assert.isTrue(tap.flowing)
      inbox.push(new Uint8Array(1))
      assert.isFalse(tap.flowing)
      yield* inbox.receiveExactly(32_767)
      assert.isFalse(tap.flowing)
      yield* inbox.receiveExactly(1)
      assert.isTrue(tap.flowing)
    })))

  it("does not stop its source while somebody waits for more than that", () =>
    Effect.runPromise(Effect.gen(function*() {
      const tap = new Tap()
      const waiting = yield* Effect.forkChild(tap.inbox.receiveExactly(300_000), { startImmediately: true })
      for (let i = 0; i < 3; i++) {
        assert.isTrue(tap.flowing)
        tap.inbox.push(new Uint8Array(100_000))
      }
      assert.strictEqual(waiting.pollUnsafe()?._tag, "Success")
      // Who gives up leaves too much behind.
      const another = yield* Effect.forkChild(tap.inbox.receiveExactly(300_000), { startImmediately: true })
      tap.inbox.push(new Uint8Array(100_000))
      assert.isTrue(tap.flowing)
      another.interruptUnsafe()
      assert.isFalse(tap.flowing)
    })))

  it("gives a stream one chunk at a time, so that who leaves it loses none", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { inbox } = new Tap()
      for (const piece of ["a", "b", "c"]) inbox.push(bytes(piece))
      assert.strictEqual(text(yield* Stream.runCollect(Stream.take(inbox.streamOfChunks, 1))), "a")
      assert.strictEqual(text([Option.getOrThrow(yield* inbox.receive)]), "b")
    })))
})

describe("Chunks", () => {
  it("takes, drops and finds the same as in one piece, however it was cut", () => {
    // A small generator of its own, so that a failure can be repeated by its seed.
    for (let seed = 1; seed <= 500; seed++) {
      let state = seed
      const random = (below: number) => (state = state * 1103515245 + 12345 & 0x7fffffff) % below
      const chunks = new Chunks()
      let rest = ""
      for (let step = 0; step < 40; step++) {
        const what = random(5)
        if (what <= 1) {
          const piece = Array.from({ length: random(7) }, () => "ab"[random(2)]).join("")
          chunks.push(bytes(piece))
          rest += piece
        } else if (what === 2) {
          const count = random(rest.length + 1)
          assert.strictEqual(text([chunks.take(count)]), rest.slice(0, count), `seed ${seed}`)
          rest = rest.slice(count)
        } else if (what === 3) {
          const count = random(rest.length + 1)
          chunks.drop(count)
          rest = rest.slice(count)
        } else {
          const delimiter = ["a", "ab", "aab", "bab"][random(4)]!
          const place = { piece: 0, offset: 0, before: 0 }
          const found = chunks.find(bytes(delimiter), place)
          const at = rest.indexOf(delimiter)
          assert.strictEqual(found, at >= 0, `seed ${seed}`)
          if (found) assert.strictEqual(place.before, at, `seed ${seed}`)
          else {
            // What lies before it can never begin one, and it goes on from there when more comes.
            assert.isFalse((rest + delimiter).slice(0, place.before + delimiter.length - 1).includes(delimiter), `seed ${seed}`)
            chunks.push(bytes("aabab"))
            rest += "aabab"
            assert.isTrue(chunks.find(bytes(delimiter), place))
            assert.strictEqual(place.before, rest.indexOf(delimiter), `seed ${seed}`)
          }
        }
        assert.strictEqual(chunks.size, rest.length)
        if (rest.length > 0) {
          const index = random(rest.length)
          assert.strictEqual(chunks.at(index), rest.charCodeAt(index))
        }
      }
      assert.isUndefined(chunks.at(rest.length))
    }
  })

  it("takes no longer for bytes that come one by one than for those that come together", () => {
    const chunks = new Chunks()
    const place = { piece: 0, offset: 0, before: 0 }
    for (let i = 0; i < 200_000; i++) {
      chunks.push(bytes("x"))
      assert.isFalse(chunks.find(bytes("\n"), place))
    }
    // Each was looked at once: else this would take minutes.
    assert.strictEqual(place.before, 200_000)
    assert.lengthOf(chunks.take(200_000), 200_000)
    assert.strictEqual(chunks.size, 0)
  })
})
