/** The workers of this application, in its background: a stop waits for the jobs that they have in hand. */
import { Duration, Effect, Layer } from "effect"
import { Background } from "../Background.ts"
import { confirmsOrders } from "../carts/OrderConfirmation.ts"
import { Settings } from "../Settings.ts"
import * as Worker from "./Worker.ts"

/** Jobs of this process are found at once. So it takes until somebody finds those of a process that has no workers, or has died. */
const poll = Duration.seconds(1)

const retryDelay = Duration.seconds(1)

export const JobWorkers = Layer.effectDiscard(Effect.gen(function*() {
  const { jobLease, jobWorkers } = yield* Settings
  if (jobWorkers === 0) return
  const background = yield* Background
  const handlers = [yield* confirmsOrders]
  yield* background.start(Worker.run({ handlers, workers: jobWorkers, lease: jobLease, poll, retryDelay }), { name: "jobs" })
}))
