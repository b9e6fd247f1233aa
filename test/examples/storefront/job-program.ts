/** A process that takes jobs and never ends one of them, for the test that kills it. */
import { Duration, Effect, Layer, Schema } from "effect"
import { Nursery } from "effect-nursery"
import { Main } from "effect-nursery/node"
import * as Config from "../../../examples/storefront/Config.ts"
import * as Database from "../../../examples/storefront/database/Database.ts"
import { handler } from "../../../examples/storefront/jobs/Job.ts"
import { Jobs } from "../../../examples/storefront/jobs/Jobs.ts"
import * as Worker from "../../../examples/storefront/jobs/Worker.ts"

const asked = Config.read()
if (asked._tag !== "Run") throw new Error("expected to be told of a database")
const { config } = asked

const endless = handler({ name: "endless", payload: Schema.Unknown, maxAttempts: 5 }, () =>
  Effect.andThen(Effect.sync(() => console.log("the job has begun")), Effect.never))

Main.run(Nursery.open((n) =>
  Effect.gen(function*() {
    const database = yield* n.start(Database.run(config), { service: true })
    yield* Worker.run({ handlers: [endless], workers: 1, lease: config.jobLease, poll: Duration.millis(50), retryDelay: Duration.seconds(1) }).pipe(
      Effect.provide(Jobs.layer.pipe(Layer.provideMerge(Layer.succeed(Database.Database, database))))
    )
  })))
