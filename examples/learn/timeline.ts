/**
 * The timeline of a nursery that fails: who ran when, who waited for what, who was cancelled and why.
 *
 * Run it:  npm run example -- examples/learn/timeline.ts
 *
 * What you see: the timeline as text. The last line names a folder with the same timeline as a picture (timeline.svg),
 * as a page to look around in (timeline.html: open it in a browser, press ?), and as a trace (timeline.json: open it
 * at https://ui.perfetto.dev, or with chrome://tracing).
 *
 * Then try:
 *   1. Give the kitchen two ovens: `CapacityLimiter.make(2, …)`. Which bar changes?
 *   2. Let the tea succeed: nobody is cancelled. When does the nursery end now?
 *   3. Print `Timeline.toText(timeline, { axis: "order" })`: every step gets the same room.
 */
import { Data, Effect } from "effect"
import { CapacityLimiter, Nursery, Timeout } from "effect-nursery"
import { Timeline } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

class OutOfTea extends Data.TaggedError("OutOfTea")<{ readonly pot: number }> {
  override get message(): string {
    return `pot ${this.pot} is empty`
  }
}

const breakfast = Nursery.open(
  (nursery) =>
    Effect.gen(function*() {
      // One oven. Who comes second waits for it, and the timeline says so.
      const oven = yield* CapacityLimiter.make(1, { name: "oven" })
      const putOut = Effect.onInterrupt(() => Effect.sleep("20 millis"))

      yield* nursery.startSoon(oven.withToken(Effect.sleep("120 millis")), { name: "roast nuts" })
      yield* nursery.startSoon(oven.withToken(Effect.sleep("1 hour").pipe(putOut)), { name: "bake bread" })

      // Looks for spoons for a while, then lays the table without.
      const findSpoons = Effect.never.pipe(Timeout.moveOnAfter("150 millis", { name: "find spoons" }))
      yield* nursery.startSoon(Effect.andThen(findSpoons, Effect.sleep("60 millis")), { name: "lay the table" })

      // A cat that takes its time, also when it is told to stop.
      yield* nursery.startSoon(Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep("50 millis"))), { name: "feed the cat" })

      // And this ends it all.
      yield* Effect.sleep("80 millis")
      yield* nursery.startSoon(Effect.andThen(Effect.sleep("220 millis"), Effect.fail(new OutOfTea({ pot: 1 }))), { name: "brew tea" })
    }),
  { name: "breakfast" }
)

// Under virtual time it takes no time, and gives the same timeline on every run. `Effect.runPromise` works as well.
const [, timeline] = await VirtualClock.run(Timeline.record(breakfast))

console.log(Timeline.toText(timeline))

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "timeline-"))
const title = "A breakfast without tea"
fs.writeFileSync(path.join(folder, "timeline.svg"), Timeline.toSvg(timeline, { title }))
fs.writeFileSync(path.join(folder, "timeline.html"), Timeline.toHtml(timeline, { title }))
fs.writeFileSync(path.join(folder, "timeline.json"), Timeline.toTrace(timeline, { title }))
console.log(`\ntimeline.svg, timeline.html and timeline.json are in ${folder}`)
