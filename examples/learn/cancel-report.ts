/**
 * A session is cut off after one second. Why does it take 1.3?
 *
 *     npm run example -- examples/learn/cancel-report.ts
 *
 * Try next: give the `flush` a limit of "100 millis", and run it again. Then let `reader` sleep longer than that.
 */
import { Effect } from "effect"
import { CancelScope, MemoryChannel, Nursery, Timeout } from "effect-nursery"
import { CancelReport } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"

const session = Nursery.open((n) =>
  Effect.gen(function*() {
    const [log] = yield* MemoryChannel.make<string>(0, { name: "log" })

    // Nobody reads the log any more, so this waits until its own limit is over.
    const flush = log.send("last words").pipe(
      Effect.ignore,
      Timeout.moveOnAfter("300 millis", { name: "flush" }),
      CancelScope.shield
    )

    const writer = Effect.never.pipe(Effect.ensuring(flush))
    const reader = Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep("20 millis")))

    yield* n.startSoon(writer, { name: "writer" })
    yield* n.startSoon(reader, { name: "reader" })
    yield* n.startSoon(Effect.never, { name: "heartbeat" })
  }), { name: "session" })

const program = session.pipe(Timeout.moveOnAfter("1 second", { name: "visit" }))

// The virtual clock jumps: this takes no 1.3 seconds to run.
const [, report] = await VirtualClock.run(CancelReport.record(program))
console.log(CancelReport.toText(report))
