/** The error of a job. */
import * as Data from "effect/Data"

/**
 * A job gave no result.
 *
 * | `why` | |
 * | --- | --- |
 * | `threw` | the function threw or its promise was rejected, or the module did not load; `cause` is what was thrown |
 * | `exited` | its thread ended: `process.exit` in a job does that; see `exitCode` |
 * | `outOfMemory` | its thread took more memory than it may |
 * | `notCloneable` | an argument or the result cannot be sent from thread to thread; `cause` says what |
 *
 * It is *not* raised for a job that was cancelled, nor because the pool was closed:
 * that is {@link Errors.Closed}. Other jobs are not touched, and the pool goes on.
 *
 * The `cause` was made again from what was sent: it has name, message, stack and
 * fields, above all its `_tag`, but a class only if that is one of the language's own.
 *
 * **Example** (A function that throws)
 *
 * ```ts
 * import type * as Zlib from "node:zlib"
 * import { Effect } from "effect"
 * import { Thread } from "effect-nursery/node"
 *
 * const zlib = Thread.module<typeof Zlib>(new URL("node:zlib"))
 *
 * const program = zlib.run("gunzipSync", [Buffer.from("no gzip")]).pipe(
 *   Effect.map((bytes) => `${bytes.length} bytes`),
 *   Effect.catchTag("ThreadError", (error) => Effect.succeed(`${error.why}: ${error.message}`))
 * )
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Thread.layer()))))
 * ```
 *
 * ```text output
 * threw: gunzipSync of node:zlib threw Error: incorrect header check
 * ```
 *
 * @since 0.1.0
 */
export class ThreadError extends Data.TaggedError("ThreadError")<{
  readonly why: "threw" | "exited" | "outOfMemory" | "notCloneable"
  /** The function. */
  readonly job: string
  /** The URL of its module. */
  readonly module: string
  readonly message: string
  readonly cause?: unknown
  /** Of the thread, when it `exited`. */
  readonly exitCode?: number
}> {}
