import { type Clock, Effect, Exit, Tracer } from "effect"
import { CancelScope, Nursery, Tasks, Timeout } from "effect-nursery"
import { Instrument, Spans } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

interface Heard {
  readonly span: Tracer.NativeSpan
  readonly events: Array<readonly [name: string, millis: number, attributes: Record<string, unknown> | undefined]>
}

const tracing = () => {
  const heard: Array<Heard> = []
  const tracer = Tracer.make({
    span: (options) => {
      const events: Heard["events"] = []
      const span = new Tracer.NativeSpan(options)
      span.event = (name, time, attributes) => void events.push([name, Number(time) / 1e6, attributes])
      heard.push({ span, events })
      return span
    }
  })
  return { heard, tracer }
}

const spansOf = async (program: Effect.Effect<unknown, unknown>): Promise<ReadonlyArray<Heard>> => {
  const { heard, tracer } = tracing()
  await VirtualClock.runExit(program.pipe(Spans.record(), Effect.withTracer(tracer)))
  return heard
}

const nameOf = (span: Tracer.AnySpan | undefined): string => span === undefined ? "nothing" : span._tag === "Span" ? span.name : "outside"
const parentOf = ({ span }: Heard): string => nameOf(span.parent._tag === "Some" ? span.parent.value : undefined)
const familyOf = (spans: ReadonlyArray<Heard>) => spans.map((each) => `${each.span.name} in ${parentOf(each)}`)
const find = (spans: ReadonlyArray<Heard>, name: string): Heard => spans.find(({ span }) => span.name === name)!

const millisOf = ({ span }: Heard): readonly [number, number] => {
  assert.strictEqual(span.status._tag, "Ended")
  const { endTime, startTime } = span.status as Tracer.SpanStatus & { readonly _tag: "Ended" }
  return [Number(startTime) / 1e6, Number(endTime) / 1e6]
}

const exitOf = ({ span }: Heard) => span.status._tag === "Ended" ? span.status.exit : undefined

describe("Spans.record", () => {
  it("makes a span of each named nursery and task, with what the program makes itself below", async () => {
    const work = Effect.withSpan(Effect.sleep(5), "work")
    const spans = await spansOf(Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(work, { name: "a" })
        yield* n.startSoon(Nursery.open((m) => m.startSoon(work, { name: "b" }), { name: "inner" }), { name: "c" })
        yield* Effect.sleep(2)
        yield* Effect.withSpan(Effect.void, "of the body")
      }), { name: "outer" }).pipe(Effect.withSpan("request")))
    assert.deepStrictEqual(familyOf(spans), [
      "request in nothing",
      "outer in request",
      "a in outer",
      "work in a",
      "c in outer",
      "inner in c",
      "b in inner",
      "work in b",
      "of the body in outer"
    ])
    assert.deepStrictEqual(millisOf(find(spans, "a")), [0, 5])
    assert.deepStrictEqual(millisOf(find(spans, "of the body")), [2, 2])
    assert.deepStrictEqual([...find(spans, "a").span.attributes], [["effect-nursery.kind", "task"], ["effect-nursery.in", "outer"]])
    assert.deepStrictEqual([...find(spans, "outer").span.attributes], [["effect-nursery.kind", "nursery"]])
  })

  it("leaves those without a name, and scopes, in the span that they have in plain Effect", async () => {
    const work = Effect.withSpan(Effect.yieldNow, "work")
    const spans = await spansOf(Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(n.startSoon(work), { name: "starter" })
        yield* Tasks.gather([work, Timeout.moveOnAfter(work, 5, { name: "limit" })])
        yield* CancelScope.open(() => work, { name: "scope" })
      }))
      .pipe(Effect.withSpan("request")))
    assert.deepStrictEqual(familyOf(spans).sort(), [
      "request in nothing",
      "starter in request",
      "work in request",
      "work in request",
      "work in request",
      "work in starter"
    ])
  })

  it("links a task to the one that started it, unless that is the body of its nursery", async () => {
    const spans = await spansOf(Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(n.startSoon(Effect.void, { name: "child" }), { name: "starter", service: true })
        yield* n.startSoon(Nursery.open(() => n.startSoon(Effect.void, { name: "from inside" }), { name: "inner" }), { name: "other" })
        yield* Effect.sleep(1)
      }), { name: "work" }))
    const linksOf = (name: string) => find(spans, name).span.links.map((link) => [nameOf(link.span), link.attributes])
    assert.deepStrictEqual(linksOf("starter"), [])
    assert.deepStrictEqual(linksOf("child"), [["starter", { "effect-nursery.link": "started by" }]])
    assert.deepStrictEqual(linksOf("from inside"), [["inner", { "effect-nursery.link": "started by" }]])
    assert.strictEqual(parentOf(find(spans, "from inside")), "work")
    assert.strictEqual(find(spans, "starter").span.attributes.get("effect-nursery.kind"), "service")
  })

  it("ends a span with the exit, and notes the cancel with its reason", async () => {
    const spans = await spansOf(Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(10))), { name: "bystander" })
        yield* n.startSoon(Effect.andThen(Effect.sleep(5), Effect.fail("no milk")), { name: "tea" })
      }), { name: "breakfast" }))
    assert.deepStrictEqual(exitOf(find(spans, "tea")), Exit.fail("no milk"))
    assert.deepStrictEqual(exitOf(find(spans, "breakfast")), Exit.fail("no milk"))
    assert.deepStrictEqual(millisOf(find(spans, "bystander")), [0, 15])
    const cancelled = ["cancelled", 5, { source: "sibling", scope: "breakfast", by: "", message: "tea failed" }] as const
    assert.deepStrictEqual(find(spans, "bystander").events, [cancelled])
    assert.deepStrictEqual(find(spans, "breakfast").events, [cancelled])
    assert.deepStrictEqual(find(spans, "tea").events, [])
  })

  it("puts a task of `start` below its caller, and ends it where it lives then", async () => {
    const spans = await spansOf(Nursery.open((n) =>
      n.start((started) => Effect.andThen(started(1), Effect.sleep(7)), { name: "server" }).pipe(Effect.withSpan("set up")), { name: "work" }))
    assert.deepStrictEqual(familyOf(spans), ["work in nothing", "set up in work", "server in set up"])
    assert.deepStrictEqual(millisOf(find(spans, "server")), [0, 7])
  })

  it("makes none of a task that never ran", async () => {
    const spans = await spansOf(Nursery.open((n) => Effect.andThen(n.startSoon(Effect.void, { name: "late" }), n.cancelTasks())))
    assert.deepStrictEqual(spans, [])
  })

  it("heeds what says whether and how to trace", async () => {
    const program = Nursery.open((n) => n.startSoon(Effect.void, { name: "a" }), { name: "work" })
    assert.deepStrictEqual(await spansOf(program.pipe(Effect.withTracerEnabled(false))), [])
    const annotated = await spansOf(program.pipe(Effect.annotateSpans("tenant", "x")))
    assert.deepStrictEqual(annotated.map(({ span }) => span.attributes.get("tenant")), ["x", "x"])
    const { heard, tracer } = tracing()
    await VirtualClock.run(program.pipe(Spans.record(), Effect.withTracer(tracer), Effect.withTracerTiming(false)))
    assert.deepStrictEqual(heard.map(millisOf), [[0, 0], [0, 0]])
  })

  it("changes nothing in the services of a task but the span", async () => {
    const clocks: Array<Clock.Clock> = []
    const look = Effect.map(Effect.clockWith(Effect.succeed), (clock) => void clocks.push(clock))
    await spansOf(Effect.andThen(look, Nursery.open((n) => n.startSoon(look, { name: "a" }), { name: "work" })))
    assert.strictEqual(clocks.length, 2)
    assert.strictEqual(clocks[0], clocks[1])
  })

  it("composes with an instrument", async () => {
    const instrument = Instrument.make()
    const program = Nursery.open((n) => n.startSoon(Effect.void, { name: "a" }), { name: "work" })
    const spans = await spansOf(program.pipe(Instrument.record(instrument)))
    assert.deepStrictEqual(familyOf(spans), ["work in nothing", "a in work"])
    assert.strictEqual(instrument.events().length, 6)
  })
})
