import { Timeline } from "effect-nursery/observe"
import { assert, describe, it } from "vitest"
import { draw, failing, hostile, many, programs, randomProgram, shutdown } from "./timelines.ts"

interface TraceEvent {
  readonly ph: string
  readonly name: string
  readonly cat?: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur: number
  readonly id?: number
  readonly bp?: string
  readonly args: Record<string, unknown>
}

const traceOf = (timeline: Timeline.Timeline, options?: Timeline.Options): ReadonlyArray<TraceEvent> =>
  JSON.parse(Timeline.toTrace(timeline, options)).traceEvents

const endOf = (event: TraceEvent): number => Math.round((event.ts + event.dur) * 1000)
const startOf = (event: TraceEvent): number => Math.round(event.ts * 1000)

/** As Perfetto reads them: the slices of a track lie in each other, and arrows begin and end in slices. */
const check = (events: ReadonlyArray<TraceEvent>, what: string): void => {
  const tracks = new Map<number, Array<TraceEvent>>()
  for (const event of events) {
    if (event.ph === "X") tracks.set(event.tid, [...(tracks.get(event.tid) ?? []), event])
    assert.isFalse(event.ts < 0 || event.dur < 0, `${what}: ${JSON.stringify(event)}`)
  }
  for (const slices of tracks.values()) {
    const open: Array<TraceEvent> = []
    let last = -Infinity
    for (const slice of slices) {
      assert.isAtLeast(startOf(slice), last, `${what}: out of order`)
      last = startOf(slice)
      while (open.length > 0 && endOf(open.at(-1)!) <= startOf(slice)) open.pop()
      if (open.length > 0) assert.isAtMost(endOf(slice), endOf(open.at(-1)!), `${what}: ${slice.name} sticks out of ${open.at(-1)!.name}`)
      open.push(slice)
    }
  }
  const ends = new Map<number, TraceEvent>()
  for (const event of events) {
    if (event.ph !== "s" && event.ph !== "f") continue
    const inside = (tracks.get(event.tid) ?? []).some((slice) => startOf(slice) <= startOf(event) && startOf(event) < endOf(slice))
    assert.isTrue(inside, `${what}: an arrow ends in the air: ${JSON.stringify(event)}`)
    if (event.ph === "s") ends.set(event.id!, event)
    else {
      assert.strictEqual(event.bp, "e")
      const start = ends.get(event.id!)
      assert.isDefined(start, `${what}: an arrow without a beginning`)
      assert.isAtMost(start.ts, event.ts, what)
      ends.delete(event.id!)
    }
  }
  assert.strictEqual(ends.size, 0, `${what}: an arrow without an end`)
}

describe("Timeline.toTrace", () => {
  it("has a track for each task, in the order of the rows, with what it did as slices", async () => {
    const events = traceOf(await draw(failing), { title: "Breakfast" })
    const names = events.filter((event) => event.name === "thread_name").map((event) => event.args["name"])
    assert.deepStrictEqual(names, ["nursery breakfast", "brew tea", "bake bread", "feed the cat", "lay the table"])
    assert.deepStrictEqual(events.find((event) => event.name === "process_name")!.args, { name: "Breakfast" })
    const slices = events.filter((event) => event.ph === "X").map(({ cat, dur, name, tid, ts }) => [tid, cat, name, ts, dur])
    assert.deepStrictEqual(slices, [
      [1, "nursery", "nursery breakfast", 0, 350_000],
      [2, "task", "brew tea", 0, 300_000],
      [3, "task", "bake bread", 0, 300_000],
      [4, "task", "feed the cat", 0, 350_000],
      [4, "cleanup", "finalizer", 300_000, 50_000],
      [5, "task", "lay the table", 0, 120_000]
    ])
    assert.deepStrictEqual(events.find((event) => event.name === "brew tea")!.args, {
      kind: "task", outcome: "failed", error: "Error: pot 1 is empty", in: "nursery breakfast", startedBy: "nursery breakfast"
    })
  })

  it("has an arrow from who cancelled to each who was told, and the reason", async () => {
    const events = traceOf(await draw(failing))
    const arrows = events.filter((event) => event.ph === "s" || event.ph === "f")
    assert.deepStrictEqual(arrows.map(({ name, ph, tid }) => [ph, tid, name]), [
      ["s", 2, "cancel: brew tea failed"], ["f", 1, "cancel: brew tea failed"],
      ["s", 2, "cancel: brew tea failed"], ["f", 3, "cancel: brew tea failed"],
      ["s", 2, "cancel: brew tea failed"], ["f", 4, "cancel: brew tea failed"]
    ])
    const instants = events.filter((event) => event.ph === "i")
    assert.deepStrictEqual(instants.map(({ args, tid, ts }) => ({ args, tid, ts })), [
      { args: { source: "sibling", message: "brew tea failed", told: 3 }, tid: 1, ts: 300_000 }
    ])
  })

  it("has slices that lie in each other, and arrows that begin and end in slices, on both axes", async () => {
    for (const axis of ["time", "order"] as const) {
      for (const [name, program] of Object.entries(programs)) check(traceOf(await draw(program), { axis }), `${name} by ${axis}`)
      for (let seed = 1; seed <= 150; seed++) check(traceOf(await draw(randomProgram(seed)), { axis }), `program ${seed} by ${axis}`)
    }
  })

  it("gives things that overlap tracks of their own", () => {
    const events = traceOf(Timeline.fromEvents([
      { _tag: "started", at: 0, task: 1, block: 1, kind: "task", name: "t", by: undefined },
      { _tag: "waiting", at: 1, task: 1, wait: 1, label: "waiting for event a" },
      { _tag: "waiting", at: 2, task: 1, wait: 2, label: "waiting for event b" },
      { _tag: "resumed", at: 3, task: 1, wait: 1 },
      { _tag: "resumed", at: 4, task: 1, wait: 2 },
      { _tag: "ended", at: 5, task: 1, outcome: { _tag: "succeeded" } }
    ]))
    check(events, "overlapping waits")
    const tracks = events.filter((event) => event.ph === "X").map(({ name, tid }) => `${name} ${tid}`)
    assert.strictEqual(new Set(tracks.map((track) => track.split(" ").at(-1))).size, 3, tracks.join(", "))
  })

  it("is JSON with a line for each event, the same on every run, also when names try to get out", async () => {
    for (const program of [shutdown, hostile, many(500)]) {
      const trace = Timeline.toTrace(await draw(program))
      assert.strictEqual(trace, Timeline.toTrace(await draw(program)))
      assert.strictEqual(trace.split("\n").length - 3, JSON.parse(trace).traceEvents.length)
    }
  })
})
