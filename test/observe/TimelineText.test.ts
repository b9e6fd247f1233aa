import { Effect } from "effect"
import { Timeline } from "effect-nursery/observe"
import { assert, describe, it } from "vitest"
import { columns, cutToColumns, cutToPixels, padToColumns, pixels } from "../../src/observe/internal/TextWidth.ts"
import { duration } from "../../src/observe/internal/TimelineWords.ts"
import { atOnce, deep, draw, eventsOf, failing, limits, many, programs, randomProgram, shutdown } from "./timelines.ts"

const lines = (...lines: Array<string>) => lines.join("\n")

describe("Timeline.toText", () => {
  it("draws lanes, then tells what happened", async () => {
    assert.strictEqual(Timeline.toText(await draw(failing), { title: "Breakfast" }), lines(
      "Breakfast",
      "1 block · 4 tasks (1 failed, 2 cancelled, 1 succeeded) · 350 ms",
      "",
      "                  0             100 ms         200 ms        300 ms 350 ms",
      "nursery breakfast ├═════════════─────────────────────────────⊘─────┤✗ failed",
      "├─ brew tea       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━✗ failed",
      "├─ bake bread     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━⊘ cancelled",
      "├─ feed the cat   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▒▒▒▒▒▒▒⊘ cancelled",
      "└─ lay the table  ━━━━━━━━━━━━━━━━━✓ succeeded",
      "",
      "300 ms  ✗ brew tea failed: Error: pot 1 is empty",
      "300 ms  ⊘ brew tea cancelled nursery breakfast (bake bread and feed the cat):",
      "          brew tea failed",
      "350 ms  · feed the cat: its finalizer took 50 ms",
      "350 ms  ✗ nursery breakfast failed: Error: pot 1 is empty",
      "",
      "━ lives   ═ body   ▒ told to stop, not ended"
    ))
  })

  it("draws time limits in time limits, each with the moment at which its time was up", async () => {
    assert.strictEqual(Timeline.toText(await draw(limits)), lines(
      "5 blocks · 2 tasks (2 succeeded) · 250 ms",
      "",
      "                          0                100 ms           200 ms  250 ms",
      "nursery limits            ├────────────────────────────────────────┤✓ succeeded",
      "├─ caller                 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━✓ succeeded",
      "│  └─ timeout outer       ├════════════════════════════════════════┤✗ failed",
      "│     └─ timeout middle   ├═══════════════════════════════════════⊘┤✗ failed",
      "│        └─ timeout inner ━━━━━━━━━━━━━━━━━⊘▒▒▒▒▒▒↷ cancelled, went on",
      "└─ in time                ━━━━━━━━✓ succeeded",
      "   └─ timeout quick       ━━━━━━━━✓ succeeded",
      "",
      "100 ms  ⊘ timeout inner was cancelled: its time was up",
      "140 ms  · timeout inner: its finalizer took 40 ms",
      "250 ms  ⊘ timeout middle was cancelled: its time was up",
      "250 ms  ✗ timeout middle failed: TooSlow: middle took longer than 250ms",
      "250 ms  ✗ timeout outer failed: TooSlow: middle took longer than 250ms",
      "",
      "━ lives   ═ body   ▒ told to stop, not ended"
    ))
  })

  it("draws steps where no time passes", async () => {
    const text = Timeline.toText(await draw(atOnce))
    assert.match(text, /^step +1 +5 +10 +15$/m)
    assert.match(text, /^step 12 {2}✗ waiter 2 failed: lost$/m)
    assert.match(text, /^░ waiter 1 was waiting for event go$/m)
  })

  it("says of those who were told to stop what held them, and of a task begun by `start` when it was ready", async () => {
    const text = Timeline.toText(await draw(shutdown), { width: 100 })
    assert.match(text, /^150 ms {2}· stubborn: its finalizer took 60 ms$/m)
    assert.match(text, /^240 ms {2}· shielded: its shield took 150 ms$/m)
    assert.match(text, /server +╌+━+/)
    assert.match(text, /‼ died/)
  })

  it("never is wider than it was told, and leaves no space at the end of a line", async () => {
    const all = [...Object.values(programs), ...Array.from({ length: 40 }, (_, seed) => randomProgram(seed + 1))]
    for (const program of all) {
      const timeline = await draw(program)
      for (const axis of ["time", "order"] as const) {
        for (const width of [40, 57, 80, 200]) {
          for (const line of Timeline.toText(timeline, { axis, width }).split("\n")) {
            assert.isAtMost(columns(line), width, line)
            assert.strictEqual(line.trimEnd(), line)
          }
        }
      }
    }
  })

  it("shows no control character, also when a name has some", async () => {
    const text = Timeline.toText(await draw(programs["hostile"]!))
    // oxlint-disable-next-line no-control-regex
    assert.notMatch(text.replaceAll("\n", ""), /[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2028\u2029]/)
    assert.include(text, "␛[31mred␀ reversed")
  })

  it("draws those who are alike together, with their number", async () => {
    const text = Timeline.toText(await draw(many(1000)), { maxRows: 20 })
    assert.match(text, /^└─ … 98\d others +█+/m)
    assert.match(text, /✗ failed$/m)
    assert.isBelow(text.split("\n").length, 35)
  })

  it("indents deep trees only so far", async () => {
    for (const line of Timeline.toText(await draw(deep(30)), { maxRows: 100 }).split("\n")) {
      assert.isBelow(line.search(/[^│├└─ ]/), 30, line)
    }
  })

  it("tells how long each task waited, the longest first, and only counts what is too much", async () => {
    const text = Timeline.toText(await draw(programs["backPressure"]!))
    assert.match(text, /░ customer was sending to channel orders for 45 ms in 2 waits\n░ baker was receiving from channel orders for 5 ms/)
    const events = Array.from({ length: 20 }, (_, i) => [
      { _tag: "started", at: 0, task: i, block: 1, kind: "task", name: `t${i}`, by: undefined } as const,
      { _tag: "waiting", at: i, task: i, wait: i, label: "waiting for event e" } as const
    ]).flat()
    const open = Timeline.toText(Timeline.fromEvents(events))
    assert.match(open, /░ t0 is waiting for event e\n/)
    assert.match(open, /… and 8 more$/m)
  })

  it("counts what happened when it is more than anybody reads", async () => {
    const fails = Array.from({ length: 100 }, (_, i) => [
      { _tag: "started", at: 0, task: i, block: 1, kind: "task", name: `t${i}`, by: undefined } as const,
      { _tag: "ended", at: i, task: i, outcome: { _tag: "failed", error: "no" } } as const
    ]).flat()
    assert.match(Timeline.toText(Timeline.fromEvents(fails)), /… and 60 more$/m)
  })

  it("says that nothing was recorded", async () => {
    assert.strictEqual(Timeline.toText(await draw(Effect.void)), "nothing was recorded")
  })

  it("is one line of text for an error of many", async () => {
    const [event] = (await eventsOf(failing)).filter((event) => event._tag === "ended" && event.outcome._tag === "failed")
    assert.isDefined(event)
    const text = Timeline.toText(Timeline.fromEvents([
      { _tag: "started", at: 0, task: 1, block: 1, kind: "task", name: "t", by: undefined },
      { _tag: "ended", at: 1, task: 1, outcome: { _tag: "failed", error: "one\n  two\r\nthree" } }
    ]))
    assert.match(text, /t failed: one ↵ two ↵ three$/m)
  })
})

describe("durations", () => {
  it("have a unit, and no more digits than anybody reads", () => {
    const said = new Map<number, string>([
      [0, "0 ms"], [0.000001, "1 ns"], [0.0005, "500 ns"], [0.25, "250 µs"], [1, "1 ms"], [1.23456, "1.235 ms"], [350, "350 ms"], [999.96, "1000 ms"],
      [1000, "1 s"], [1500, "1.5 s"], [59_999, "60 s"], [60_000, "1 min"], [125_000, "2 min 5 s"], [119_999, "2 min"], [3_600_000, "1 h"],
      [5_400_000, "1 h 30 min"], [86_400_000, "1 d"], [90_000_000, "1 d 1 h"], [8_640_000_000, "100 d"]
    ])
    for (const [millis, text] of said) assert.strictEqual(duration(millis), text)
  })
})

describe("text widths", () => {
  it("count wide characters twice, and marks not at all", () => {
    assert.strictEqual(columns("abc"), 3)
    assert.strictEqual(columns("日本"), 4)
    assert.strictEqual(columns("e\u0301"), 1)
    assert.strictEqual(columns("🎉"), 2)
    assert.strictEqual(padToColumns("日", 4), "日  ")
  })

  it("cut a text between characters, with a sign that something is missing", () => {
    assert.strictEqual(cutToColumns("abcdef", 6), "abcdef")
    assert.strictEqual(cutToColumns("abcdef", 4), "abc…")
    assert.strictEqual(cutToColumns("日本語", 4), "日…")
    assert.strictEqual(cutToColumns("🎉🎉🎉", 4), "🎉…")
    assert.strictEqual(cutToColumns("abc", 0), "")
    assert.isAtMost(pixels(cutToPixels("a rather long name for a task", 60, 12), 12), 60)
    assert.isAbove(pixels("W", 12), pixels("i", 12))
  })
})
