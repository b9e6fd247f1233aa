/**
 * A load test: virtual users do what a scenario says, and a report tells how long the server took to answer.
 *
 * Run it:    npm run example -- examples/http-client/stub.ts --port 8081        (something to load)
 *            npm run example -- examples/load/main.ts --url http://127.0.0.1:8081 --users 20 --spawn-rate 10 --duration 20s
 *
 * It loads servers on this machine only. Each user is a task of a nursery, with cookies and a pause of its own. When the
 * time is up, or on Ctrl-C, users who think go at once, and requests under way are waited for.
 *
 * Then try:
 *   1. Ctrl-C after five seconds. Which lines of the report change?
 *   2. Stop the server while the load runs. What does the report say, and with what does the program end?
 *   3. Write a scenario of your own, beside `scenarios/visitor.ts`, and run it with `--scenario`.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect } from "effect"
import { Main } from "effect-nursery/node"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { BadOptions, help, type Options, parse, refuseOthers } from "./Options.ts"
import * as Report from "./Report.ts"
import { isScenario, type Scenario } from "./Scenario.ts"
import visitor from "./scenarios/visitor.ts"
import { Statistics } from "./Statistics.ts"
import * as Swarm from "./Swarm.ts"

/** Loads the scenario of a file. */
const scenarioFrom = (file: string | undefined): Effect.Effect<Scenario, BadOptions> =>
  file === undefined ? Effect.succeed(visitor) : Effect.gen(function*() {
    const url = pathToFileURL(path.resolve(file)).href
    const module = yield* Effect.tryPromise({
      try: (): Promise<{ readonly default?: unknown }> => import(url),
      catch: (error) => new BadOptions({ message: `--scenario ${file} cannot be loaded: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}` })
    })
    return isScenario(module.default) ? module.default : yield* new BadOptions({ message: `--scenario ${file} has no scenario as its default export` })
  })

// #region load
const load = (options: Options) =>
  Effect.gen(function*() {
    yield* refuseOthers(options.url)
    const plan: Swarm.Plan = { ...options, scenario: yield* scenarioFrom(options.scenario) }
    yield* Console.error(`${plan.users} user(s) at ${plan.url.href}; Ctrl-C ends it with the report`)

    const statistics = new Statistics()
    const ended = yield* Swarm.run(plan, statistics).pipe(
      // A connection for each user, as if each had a browser of its own.
      Effect.provide(NodeHttpClient.layerUndiciOptions({ connections: plan.users }))
    )
    const report = Report.make(plan, ended, statistics)
    yield* Console.log(options.json ? Report.toJson(report) : Report.toText(report))
    if (report.all.failed > 0) yield* exitWith(1)
    // A scenario that has failed is told after the report.
    yield* ended.exit
  })
// #endregion

const exitWith = (code: number) => Effect.sync(() => void (process.exitCode = code))

const program = Effect.gen(function*() {
  const options = yield* parse(process.argv.slice(2))
  yield* options.help ? Console.log(help) : load(options)
}).pipe(
  Effect.catchTag("BadOptions", ({ message }) => Effect.andThen(Console.error(`${message} (see --help)`), exitWith(2)))
)

// Longer than the grace of the swarm, so that there is always a report.
Main.run(program, { grace: "10 seconds" })
