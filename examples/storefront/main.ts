/**
 * The storefront: an HTTP application with a database, made of the patterns of this library. README.md says where to find
 * which.
 *
 * Run it:        npm run example -- examples/storefront/main.ts        (or --port 8081; --help says what else)
 * Talk to it:    curl -i http://127.0.0.1:8080/brands?limit=3          (in a second terminal)
 * Stop it:       Ctrl-C in the first terminal: requests under way get their answers
 *
 * Then try:
 *   1. `curl http://127.0.0.1:8080/slow` and Ctrl-C at once: who gets an answer?
 *   2. `DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres`, and stop PostgreSQL while it runs.
 *   3. `kill -QUIT` with the number of the process prints what runs: the nursery, its tasks, and what each of them waits for.
 *      Ctrl-\ does, too, where Node was not started by npm, which dies of it.
 */
import { Console, Duration, Effect } from "effect"
import { Main } from "effect-nursery/node"
import cluster from "node:cluster"
import * as Config from "./Config.ts"
import { type CannotListen, written } from "./http/HttpServer.ts"
import { layer as loggerOf } from "./Log.ts"
import * as Storefront from "./Storefront.ts"
import { type NoWorker, supervise } from "./workers/Supervisor.ts"
import { work } from "./workers/Worker.ts"

const asked = Config.read()

/** What a process needs, besides its grace, to clean up. */
const cleanup = Duration.seconds(4)

const serve = (config: Config.StorefrontConfig): Effect.Effect<void, CannotListen | NoWorker> => {
  if (cluster.isWorker) return work(Storefront.serve(config)(() => Effect.void), config.grace)
  if (config.workers === 1) return Storefront.serve(config)((place) => Console.log(`storefront listens on http://${written(place)}`))
  return supervise({ workers: config.workers, grace: Duration.sum(config.grace, cleanup) })((place) =>
    Console.log(`storefront listens on http://${written(place)} (${config.workers} workers)`))
}

const run = (config: Config.StorefrontConfig) =>
  serve(config).pipe(
    // The worker has said why.
    Effect.catchTag("NoWorker", ({ code }) => Effect.sync(() => void (process.exitCode = code ?? 1))),
    // In one line, without a stack: it is no mistake of the program.
    Effect.catchTag("CannotListen", (error) => Effect.andThen(Console.error(error.message), Effect.sync(() => void (process.exitCode = 1)))),
    Effect.provide(loggerOf(config.logFormat))
  )

switch (asked._tag) {
  case "Help":
    console.log(Config.help)
    break
  case "Mistake":
    console.error(asked.why)
    process.exitCode = 2
    break
  case "Run":
    Main.run(run(asked.config), {
      // One that has workers waits for theirs.
      grace: cluster.isPrimary && asked.config.workers > 1 ? Duration.sum(asked.config.grace, Duration.times(cleanup, 2)) : asked.config.grace,
      ...(cluster.isWorker ? { name: `worker ${process.env["WORKER"]}` } : {})
    })
}
