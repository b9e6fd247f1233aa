import { Effect, Exit, Option, Stream } from "effect"
import { CancelScope, type Errors, Nursery, TaskTree, Tasks, Timeout } from "effect-nursery"
import { Explore, MemoryStream, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

const text = (chunk: Option.Option<Uint8Array>) => Option.getOrUndefined(Option.map(chunk, (bytes) => new TextDecoder().decode(bytes)))

describe("MemoryStream.pair", () => {
  live("gives all bytes that are there in one chunk, or as many as it may", function*() {
    const [left, right] = yield* MemoryStream.pair()
    yield* left.send("ab")
    yield* left.send("cd")
    assert.strictEqual(text(yield* right.receive), "abcd")

    const [one, other] = yield* MemoryStream.pair({ maxChunkBytes: 3 })
    yield* one.send("abcd")
    yield* one.close
    assert.deepStrictEqual((yield* Stream.runCollect(other.chunks)).map((bytes) => text(Option.some(bytes))), ["abc", "d"])
  })

  live("waits when more than the capacity is unread, and until it is less", function*() {
    const [left, right] = yield* MemoryStream.pair({ capacity: 4 })
    yield* left.send("1234")
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const sending = yield* n.startNow(left.send("56789"))
        assert.deepInclude(right.statistics, { unread: 9, peak: 9 })
        assert.strictEqual(text(yield* right.receiveExactly(4)), "1234")
        yield* VirtualClock.waitAllBlocked
        assert.isTrue(Option.isNone(sending.poll))
        assert.strictEqual(text(yield* right.receiveExactly(1)), "5")
        yield* sending.join
        assert.deepStrictEqual(left.statistics, { sent: 9, received: 0, unread: 0, peak: 0 })
        assert.deepStrictEqual(right.statistics, { sent: 0, received: 5, unread: 4, peak: 9 })
      })
    )
  })

  live("gives a receive of more bytes than the capacity what it wants", function*() {
    for (const capacity of [0, 1, 10]) {
      const [left, right] = yield* MemoryStream.pair({ capacity })
      const send = Effect.forEach(["abc", "def", "gh\n"], (part) => left.send(part))
      const receive = Effect.all([right.receiveExactly(9), right.receiveUntil("\n")])
      const [, received] = yield* Tasks.gather([Effect.andThen(send, send), receive])
      assert.deepStrictEqual(received.map(text), ["abcdefgh\n", "abcdefgh"])
    }
  })

  live("lets a receiver go on that wants less than what has been seen", function*() {
    const [left, right] = yield* MemoryStream.lockstepPair()
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(Timeout.moveOnAfter(right.receiveExactly(4), "1 second"))
        yield* left.send("ab")
        yield* Effect.sleep("2 seconds")
        assert.strictEqual(text(yield* right.receiveExactly(1)), "a")
        assert.strictEqual(text(yield* right.receive), "b")
        yield* n.startNow(left.send("c"))
        assert.strictEqual(text(yield* right.receive), "c")
      })
    )
  })

  live("breaks at once, on both sides of the other end, when it is aborted", function*() {
    const [left, right] = yield* MemoryStream.pair({ name: "chat" })
    yield* right.send("lost")
    yield* right.abort
    const errors = [yield* Effect.flip(left.receive), yield* Effect.flip(left.send("x")), yield* Effect.flip(left.sendEof)]
    for (const error of errors) {
      assert.deepInclude(error, { _tag: "Broken", what: "memory chat" })
      assert.strictEqual(((error as Errors.Broken).cause as NodeJS.ErrnoException).code, "ECONNRESET")
    }
  })

  live("gives what a closed end had sent although it takes nothing any more", function*() {
    const [left, right] = yield* MemoryStream.pair()
    yield* left.send("unread")
    yield* right.send("bye")
    yield* right.close
    const error = yield* Effect.flip(left.send("x"))
    assert.strictEqual(((error as Errors.Broken).cause as NodeJS.ErrnoException).code, "EPIPE")
    assert.strictEqual(text(yield* left.receive), "bye")
    assert.strictEqual(text(yield* left.receive), undefined)
  })

  live("wakes a sender whose bytes the other end will not receive", function*() {
    const [left, right] = yield* MemoryStream.pair({ capacity: 2 })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const sending = yield* n.startNow(Effect.flip(left.send("abc")))
        yield* right.close
        assert.strictEqual((yield* sending.join)._tag, "Broken")
      })
    )
  })

  live("names those who wait, and who is busy", function*() {
    const [left, right] = yield* MemoryStream.lockstepPair({ name: "chat" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const reader = yield* n.startNow(left.receive, { name: "reader" })
        const writer = yield* n.startNow(left.send("x"), { name: "writer" })
        const tree = TaskTree.toText(yield* TaskTree.now)
        assert.include(tree, "reader (receiving from memory chat)")
        assert.include(tree, "writer (sending to memory chat)")
        assert.strictEqual((yield* Effect.flip(left.receive)).message, "the receiving half of memory chat is in use by reader")
        assert.strictEqual((yield* Effect.flip(left.send("y"))).message, "the sending half of memory chat is in use by writer")
        yield* reader.cancel()
        yield* writer.cancel()
        assert.strictEqual(String(right), "memory chat (open)")
      })
    )
    yield* left.close
    yield* right.abort
    assert.strictEqual(String(left), "memory chat (closed)")
    assert.deepInclude(JSON.parse(JSON.stringify(left)), { name: "memory chat", state: "closed" })
  })

  live("dies with value and type when an option is no count", function*() {
    const message = (options: MemoryStream.Options) =>
      Effect.map(Effect.exit(MemoryStream.pair(options)), (exit) => Exit.isFailure(exit) ? String(exit.cause) : "made")
    assert.include(yield* message({ capacity: -1 }), "Expected `capacity` to be an integer from 0 and up or `Infinity`, got `-1` (number)")
    assert.include(yield* message({ maxChunkBytes: 0.5 }), "got `0.5` (number)")
    assert.include(yield* message({ maxChunkBytes: 0 }), "Expected `maxChunkBytes` to be at least 1, got 0")
    assert.strictEqual(yield* message({ capacity: Infinity }), "made")
  })

  live("tells lines that are too long, and goes on behind them", function*() {
    const [left, right] = yield* MemoryStream.pair({ capacity: Infinity })
    yield* left.send(`${"x".repeat(70_000)}\nnext\r\nlast`)
    yield* left.close
    assert.strictEqual((yield* Effect.flip(Stream.runDrain(right.lines)))._tag, "TooLong")
    assert.deepStrictEqual(yield* Stream.runCollect(right.lines), ["next", "last"])
  })

  it("loses, doubles and reorders nothing, whoever is cancelled at whichever step", () => {
    const program = Effect.gen(function*() {
      const [left, right] = yield* MemoryStream.pair({ capacity: 3, maxChunkBytes: 2 })
      const got: Array<string> = []
      const take = Effect.uninterruptibleMask((restore) => Effect.map(restore(right.receive), (chunk) => void got.push(text(chunk) ?? "")))
      const takeTwo = Effect.uninterruptibleMask((restore) => Effect.map(restore(right.receiveExactly(2)), (chunk) => void got.push(text(chunk) ?? "")))
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const send = Effect.forEach(["ab", "cdef", "", "g", "hi"], (part) => left.send(part), { discard: true })
          yield* n.startSoon(Timeout.moveOnAfter(send, "1 second"), { name: "sender" })
          yield* n.startSoon(Timeout.moveOnAfter(Effect.forever(Effect.andThen(take, takeTwo)), "1 second"), { name: "receiver" })
        })
      ).pipe(Effect.exit)
      yield* left.close
      yield* Stream.runForEach(right.chunks, (bytes) => Effect.sync(() => void got.push(text(Option.some(bytes))!)))
      return got.join("")
    })
    // Each send as a whole, in order: how far it came depends on who was cancelled.
    const prefixes = ["", "ab", "abcdef", "abcdefg", "abcdefghi"]
    const report = Explore.run(CancelScope.shield(program), { runs: 1000, cancelEverywhere: true, holds: (got) => prefixes.includes(got) })
    assert.strictEqual(report._tag, "Passed", Explore.toText(report))
    const undisturbed = Explore.run(program, { runs: 1000, busyHost: false, holds: (got) => got === prefixes.at(-1) })
    assert.strictEqual(undisturbed._tag, "Passed", Explore.toText(undisturbed))
  }, 20_000)
})

describe("MemoryStream.lockstepPair", () => {
  live("lets a sender go on when the last byte has been received", function*() {
    const [left, right] = yield* MemoryStream.lockstepPair({ maxChunkBytes: 1 })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const sending = yield* n.startNow(left.send("abc"))
        for (const byte of ["a", "b", "c"]) {
          yield* VirtualClock.waitAllBlocked
          assert.isTrue(Option.isNone(sending.poll))
          assert.strictEqual(text(yield* right.receive), byte)
        }
        yield* sending.join
      })
    )
  })

  live("keeps a send that was cancelled as a whole", function*() {
    const [left, right] = yield* MemoryStream.lockstepPair()
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(left.send("abc"), "1 second")))
    assert.strictEqual(text(yield* right.receive), "abc")
  })
})
