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
 *   3. Ctrl-\ prints what runs: the nursery, its tasks, and what each of them waits for.
 */
import { Console, Effect } from "effect"
import { Main } from "effect-nursery/node"
import * as Config from "./Config.ts"
import { written } from "./http/HttpServer.ts"
import { layer as loggerOf } from "./Log.ts"
import * as Storefront from "./Storefront.ts"

const asked = Config.read()

const run = (config: Config.StorefrontConfig) =>
  Storefront.serve(config)((place) => Console.log(`storefront listens on http://${written(place)}`)).pipe(
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
    Main.run(run(asked.config), { grace: asked.config.grace })
}
