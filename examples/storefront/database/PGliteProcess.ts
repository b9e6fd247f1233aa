/** The embedded database: starts it as a process of its own, and ends it with the scope. */
import { Data, Deferred, Effect, Option, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import * as path from "node:path"
import * as url from "node:url"

/** What the process says on its channel. */
export type Report =
  | { readonly _tag: "Listens"; readonly port: number }
  | { readonly _tag: "Failed"; readonly why: string }

export interface Options {
  /** Where it keeps its files; without it, in memory. */
  readonly dataDir: Option.Option<string>
  readonly maxConnections: number
}

export interface PGliteProcess {
  readonly port: number
  readonly pid: number
  /** Waits until it has ended, which it should not. */
  readonly ended: Effect.Effect<string>
}

/** It could not be started. */
export class PGliteFailed extends Data.TaggedError("PGliteFailed")<{ readonly why: string }> {
  override get message(): string {
    return `the embedded database could not be started: ${this.why}`
  }
}

/** Beside this file, and built if this file is (rolldown.config.ts). */
const main = url.fileURLToPath(new URL(`./pglite-main${path.extname(import.meta.url)}`, import.meta.url))

/** How long it may take to write its files. */
const closeMillis = 3000

/** What it complains about last: for the error. */
const keptOfStderr = 2000

export const start = ({ dataDir, maxConnections }: Options): Effect.Effect<PGliteProcess, PGliteFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const ended = yield* Deferred.make<string>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(main, [Option.getOrElse(dataDir, () => ""), String(maxConnections)], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] })),
      (child) => close(child, Option.isNone(dataDir))
    )
    let complaints = ""
    child.stderr!.setEncoding("utf8").on("data", (text: string) => complaints = (complaints + text).slice(-keptOfStderr))
    child.on("error", () => {})
    child.on("exit", (code, signal) => Deferred.doneUnsafe(ended, Effect.succeed(`it has ended (${signal ?? code}) ${complaints}`.trim())))
    const port = yield* Effect.callback<number, PGliteFailed>((resume) => {
      child.on("message", (report: Report) =>
        resume(report._tag === "Listens" ? Effect.succeed(report.port) : Effect.fail(new PGliteFailed({ why: report.why }))))
      child.on("error", (error) => resume(Effect.fail(new PGliteFailed({ why: error.message }))))
      child.on("exit", (code, signal) => resume(Effect.fail(new PGliteFailed({ why: `it has ended (${signal ?? code}) ${complaints}`.trim() }))))
    })
    return { port, pid: child.pid!, ended: Deferred.await(ended) }
  })

/** Closes its channel, which it takes as its end; kills it when it does not end, or has nothing to write. */
const close = (child: ChildProcess, inMemory: boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    const killer = setTimeout(() => child.kill("SIGKILL"), inMemory ? 0 : closeMillis)
    child.once("exit", () => {
      clearTimeout(killer)
      resume(Effect.void)
    })
    if (child.connected) child.disconnect()
  })
