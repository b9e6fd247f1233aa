/** The parts of the chat server that are plain data: each by itself. */
import { Clock, Duration, Effect, Fiber } from "effect"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import type { Stored } from "../../../examples/chat/Bus.ts"
import { Deadlines } from "../../../examples/chat/Deadlines.ts"
import { Deliveries } from "../../../examples/chat/Deliveries.ts"
import { EventLog } from "../../../examples/chat/EventLog.ts"
import { FloodLimit } from "../../../examples/chat/FloodLimit.ts"
import { History } from "../../../examples/chat/History.ts"
import { LineReader } from "../../../examples/chat/LineReader.ts"
import * as Names from "../../../examples/chat/Names.ts"
import * as Protocol from "../../../examples/chat/Protocol.ts"
import { RoomLines } from "../../../examples/chat/RoomLines.ts"
import * as Words from "../../../examples/chat/Words.ts"
import { numbersOf } from "../../net/serve/proxies.ts"

const said = (number: number, text = `line ${number}`): Stored => ({
  seq: String(number),
  at: number * 1000,
  event: { _tag: "Said", token: "t", name: "Ada", room: "lobby", text }
})

describe("LineReader.read", () => {
  it("gives the same lines and flaws, however the bytes are cut", () => {
    const maxBytes = 20
    const bytes = Buffer.concat([
      Buffer.from("one\ntwo\r\n\r\n\nGrüße 👋\n"),
      Buffer.from(`${"x".repeat(20)}\n${"y".repeat(20)}\r\n${"z".repeat(21)}\nshort\n${"w".repeat(500)}\nMSG 7 ${"v".repeat(100)}\r\n`),
      Buffer.from([0x61, 0xff, 0x62, 10, 0xc3, 10, 0xbc, 10]),
      Buffer.from("last\nunfinished")
    ])
    const expected = ["one", "two", "", "", "Grüße 👋", "x".repeat(20), "y".repeat(20), "too-long zzz", "short", "too-long www", "too-long MSG", "utf8 a", "utf8 \uFFFD", "utf8 \uFFFD", "last"]
    const told = (lines: ReturnType<LineReader["read"]>) =>
      lines.map((line) => typeof line === "string" ? line : `${line.reason} ${line.head.slice(0, line.reason === "utf8" ? 1 : 3)}`)
    for (let seed = 0; seed < 300; seed++) {
      const random = numbersOf(seed)
      const most = 1 + Math.floor(random() * 60)
      const reader = new LineReader(maxBytes)
      const lines: Array<string> = []
      for (let from = 0; from < bytes.length;) {
        const to = Math.min(bytes.length, from + 1 + Math.floor(random() * most))
        // What was read may not depend on the chunk, which is written over afterwards.
        const chunk = Buffer.from(bytes.subarray(from, to))
        lines.push(...told(reader.read(chunk)))
        chunk.fill(0)
        from = to
      }
      assert.deepStrictEqual(lines, expected, `seed ${seed}`)
    }
  })

  it("keeps no more of a line without end than it may be long", () => {
    const reader = new LineReader(4096)
    for (let i = 0; i < 1000; i++) assert.deepStrictEqual(reader.read(Buffer.alloc(65_536, "x")), [])
    const [flaw] = reader.read(Buffer.from("\n"))
    assert.isObject(flaw)
    assert.isAtMost(JSON.stringify(reader).length, 500)
  })
})

describe("RoomLines", () => {
  it("gives the lines from any of them on, as bytes and as a text, with and without their numbers", () => {
    const lines = new RoomLines()
    const all = ["Ada: Grüße", "bob connected!", "Ada: 👋", "bob: end"]
    all.forEach((line, i) => lines.add(line, `${i + 7}`, undefined))
    for (let heard = 0; heard <= all.length; heard++) {
      lines.dropBefore(heard)
      for (let from = heard; from <= all.length; from++) {
        const plain = all.slice(from).map((line) => `${line}\n`).join("")
        const numbered = all.slice(from).map((line, i) => `SEQ ${i + from + 7} ${line}\n`).join("")
        assert.strictEqual(lines.bytesFrom(from, false).toString(), plain)
        assert.strictEqual(lines.bytesFrom(from, true).toString(), numbered)
        assert.strictEqual(lines.textFrom(from, true, undefined), numbered)
      }
      assert.strictEqual(lines.bytesFrom(heard, false), lines.bytesFrom(heard, false), "encoded once")
      assert.deepStrictEqual([lines.first, lines.end], [heard, all.length])
    }
  })

  it("leaves bytes alone that were given, when more is said and when everybody has heard them", () => {
    const lines = new RoomLines()
    lines.add("one", "1", undefined)
    const given = lines.bytesFrom(0, false)
    lines.add("two", "2", undefined)
    assert.strictEqual(lines.bytesFrom(0, false).toString(), "one\ntwo\n")
    lines.dropBefore(1)
    assert.strictEqual(lines.bytesFrom(1, false).toString(), "two\n")
    assert.strictEqual(given.toString(), "one\n")
  })

  it("leaves out the lines of one author", () => {
    const [ada, bob] = [{}, {}]
    const lines = new RoomLines()
    for (const [author, line] of [[ada, "Ada: 1"], [bob, "bob: 2"], [undefined, "news"], [ada, "Ada: 3"], [bob, "bob: 4"]] as const) lines.add(line, "0", author)
    assert.strictEqual(lines.textFrom(0, false, ada), "bob: 2\nnews\nbob: 4\n")
    assert.deepStrictEqual([lines.hasBy(ada, 3), lines.hasBy(ada, 4), lines.hasBy({}, 0)], [true, false, false])
    lines.dropBefore(1)
    assert.strictEqual(lines.textFrom(2, false, ada), "news\nbob: 4\n")
    assert.deepStrictEqual([lines.hasBy(ada, 3), lines.hasBy(ada, 4)], [true, false])
  })
})

describe("EventLog", () => {
  it("keeps the newest as far as they fit, and knows how many it has forgotten", () => {
    const log = new EventLog(100_000)
    for (let i = 0; i < 5000; i++) log.add(said(i))
    assert.isAbove(log.forgotten, 4000)
    assert.isBelow(log.forgotten, 4900)
    assert.deepStrictEqual(log.since(4990).map(({ seq }) => Number(seq)), Array.from({ length: 10 }, (_, i) => 4990 + i))
    assert.strictEqual(log.since(0)[0]!.seq, String(log.forgotten))
    assert.deepStrictEqual(log.since(5000), [])
  })

  it("keeps nothing of one that does not fit at all", () => {
    const log = new EventLog(1000)
    log.add(said(0, "x".repeat(2000)))
    assert.deepStrictEqual([log.forgotten, log.since(0)], [1, []])
  })
})

describe("History", () => {
  it("is the last so many lines, the oldest first", () => {
    for (const most of [0, 1, 50]) {
      const history = new History(most)
      for (let i = 0; i < 1000; i++) {
        history.add(said(i))
        const count = Math.min(most, i + 1)
        assert.deepStrictEqual(history.all.map(({ seq }) => Number(seq)), Array.from({ length: count }, (_, k) => i + 1 - count + k))
      }
    }
  })
})

describe("Deliveries.isNew", () => {
  it("knows at least the last 1,000 ids, and does not grow for ever", () => {
    const deliveries = new Deliveries()
    for (let i = 0; i < 10_000; i++) {
      assert.isTrue(deliveries.isNew(`${i}`))
      assert.isFalse(deliveries.isNew(`${Math.max(0, i - 999)}`))
    }
    assert.isTrue(deliveries.isNew("0"), "long ago")
  })
})

describe("FloodLimit.allows", () => {
  it("allows a burst, and then as many as come back in time", () => {
    const limit = new FloodLimit({ count: 20, millis: 1000 }, 0)
    const allowed = (at: number, tries: number) => Array.from({ length: tries }, () => limit.allows(at)).filter(Boolean).length
    assert.deepStrictEqual([allowed(0, 30), allowed(49, 1), allowed(50, 2), allowed(1050, 100), allowed(1e9, 100)], [20, 0, 1, 20, 20])
  })
})

describe("Deadlines", () => {
  it("tell in order, at their time, and not those that were stopped or started anew", () =>
    VirtualClock.run(Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const deadlines = new Deadlines<string>(Duration.seconds(10), clock)
      const told: Array<string> = []
      const running = yield* Effect.forkChild(deadlines.run((key) => Effect.sync(() => void told.push(`${key} at ${clock.currentTimeMillisUnsafe()}`))), { startImmediately: true })
      yield* Effect.sleep(1000)
      for (const key of ["a", "b", "c"]) deadlines.start(key)
      yield* Effect.sleep(4000)
      deadlines.start("a")
      assert.strictEqual(deadlines.stop("b"), true)
      assert.strictEqual(deadlines.stop("nobody"), false)
      yield* Effect.sleep(100_000)
      deadlines.start("d")
      yield* Effect.sleep(20_000)
      assert.deepStrictEqual(told, ["c at 11000", "a at 15000", "d at 115000"])
      yield* Fiber.interrupt(running)
    })))
})

describe("Names.keyOf", () => {
  it("is the same for what looks the same", () => {
    for (const [one, other] of [["Admin", "aDMIN"], ["Stra\u00DFe", "STRASSE"], ["\u00E9", "e\u0301"], ["\uFB01n", "fin"], ["a\u00ADb", "AB"]] as const) {
      assert.strictEqual(Names.keyOf(one), Names.keyOf(other))
    }
    assert.notStrictEqual(Names.keyOf("Ada"), Names.keyOf("Ade"))
    assert.strictEqual(Names.keyOf(Names.keyOf("İSTANBUL ẞ")), Names.keyOf("İSTANBUL ẞ"))
  })
})

describe("Protocol", () => {
  it("reads what comes before the chat", () => {
    assert.deepStrictEqual(
      ["CAPS ack x", "CONNECT bob", "RESUME t 1", "CONNECT", "CONNECT a b", " CONNECT a", "CONNECT  a", "RESUME t", "caps ack", "CONNECT a "].map((line) => Protocol.readHello(line)._tag),
      ["Caps", "Connect", "Resume", "Unknown", "Unknown", "Unknown", "Unknown", "Unknown", "Unknown", "Unknown"]
    )
  })

  it("reads ids of 1 to 64 characters, and takes other lines as they are", () => {
    const id = "aZ09_-".repeat(11).slice(0, 64)
    assert.deepStrictEqual(Protocol.readNumbered(`MSG ${id} a b `), { id, text: "a b " })
    for (const line of [`MSG ${id}x text`, "MSG  text", "MSG ü text", "MSG 1", "msg 1 text", "text"]) assert.deepStrictEqual(Protocol.readNumbered(line), { id: undefined, text: line })
  })

  it("makes control characters visible, and leaves everything else alone", () => {
    assert.strictEqual(Protocol.visible("a\u001b[31mb\u0007\r\u0000\u007f\u0085\u2028c\td"), "a␛[31mb␇␍␀␡\uFFFD\uFFFDc\td")
    for (const text of ["Grüße 👩‍👩‍👧‍👦 \u202Bעברית", "日本語\u3000"]) assert.strictEqual(Protocol.visible(text), text)
  })
})

describe("Words", () => {
  it("reads what it writes", () => {
    for (const text of ["250ms", "15s", "60s", "90s", "2m", "1h", "36h"]) assert.strictEqual(Words.inWords(Words.duration(text)), text)
    for (const text of ["500B", "4KiB", "1MiB", "1025B"]) assert.strictEqual(Words.sizeInWords(Words.size(text)), text)
    assert.deepStrictEqual([Words.rate("off"), Words.rate("3/2m")], [undefined, { count: 3, millis: 120_000 }])
  })

  it("refuses what has no meaning", () => {
    for (const text of ["", "-1s", "1 s", "0s", "1d", "1e3s"]) assert.throws(() => Words.duration(text), /expected a time/)
    for (const text of ["", "0", "1.5KiB", "1kb", "-1"]) assert.throws(() => Words.size(text), /expected a size/)
    for (const text of ["", "20", "0/1s", "20/", "x/1s"]) assert.throws(() => Words.rate(text), /expected/)
    for (const text of ["", "1.5", "-1", "x"]) assert.throws(() => Words.count(0)(text), /expected a whole number from 0/)
  })
})
