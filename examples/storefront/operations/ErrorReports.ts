/**
 * Sends a report of each fault (ErrorReport.ts) to a service that collects them, as JSON by POST.
 *
 * Whoever has the fault does not wait for that: reports go through a channel to a task of their own. When the collector is
 * slow and the channel is full, new reports are dropped, and counted, rather than kept.
 */
import { type Cause, type Context, Effect, ErrorReporter, type Fiber, Option, Redacted, Schedule } from "effect"
import { CancelScope, MemoryChannel, Nursery, Timeout } from "effect-nursery"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { type ErrorReport, reportOf } from "./ErrorReport.ts"

/** More than this wait for the collector only when everything fails. */
const mostWaiting = 100

/** How long one attempt may take, and how often it is made. */
const attemptLimit = "3 seconds"
const attempts = Schedule.exponential("200 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 3 }))

/** How long the reports that still wait may take at the end. */
const flushMillis = 1000

/** Runs a program whose faults are reported to the address. */
export const record = (url: Redacted.Redacted) => <A, E>(program: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<ErrorReport>(mostWaiting, { name: "error reports" })
      const client = yield* HttpClient.HttpClient
      const deliverAll = receiver.receive.pipe(
        Effect.flatMap((report) => deliver(client, url, report)),
        Effect.forever,
        Effect.catchTag("EndOfChannel", () => Effect.void),
        // Nobody else closes it.
        Effect.catchTag("Closed", Effect.die)
      )
      // Not cancelled with the program: its last reports are the ones that say why. It ends when the channel does.
      const sending = yield* n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
        CancelScope.shield(CancelScope.open((scope) => Effect.andThen(started(scope), deliverAll), { name: "delivery" })), { name: "error reports" })
      const finish = Effect.gen(function*() {
        yield* sender.close
        yield* sending.setDeadline((yield* Timeout.now) + flushMillis)
      })
      const reporters = new Set([...yield* ErrorReporter.CurrentErrorReporters, yield* reporterTo(sender)])
      return yield* Effect.provideService(program, ErrorReporter.CurrentErrorReporters, reporters).pipe(Effect.ensuring(finish))
    }), { name: "error reporting" }).pipe(Effect.provide(FetchHttpClient.layer))

/** Effect calls it in the middle of things, so it only puts the report into the channel. */
const reporterTo = (sender: MemoryChannel.Sender<ErrorReport>): Effect.Effect<ErrorReporter.ErrorReporter> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const run = Effect.runForkWith(context)
    // What each fiber has reported last. The cause alone would not do: that of a fault which is a constant is always the same.
    const told = new WeakMap<object, Cause.Cause<unknown>>()
    let dropped = 0
    const put = (report: ErrorReport) =>
      Effect.gen(function*() {
        if (yield* sender.trySend(report)) return
        // One line for many, or the log would fill instead.
        if (dropped++ % mostWaiting === 0) yield* Effect.annotateLogs(Effect.logWarning("reports of errors are dropped: the collector is too slow"), { dropped })
      }).pipe(Effect.ignore)
    const report = ({ cause, fiber, timestamp }: { readonly cause: Cause.Cause<unknown>; readonly fiber: Fiber.Fiber<unknown, unknown>; readonly timestamp: bigint }) => {
      // The same fault may pass several places that report it.
      if (told.get(fiber) === cause) return
      told.set(fiber, cause)
      const made = reportOf(cause, fiber, timestamp)
      if (Option.isSome(made)) run(put(made.value))
    }
    return Effect.succeed(Object.assign(ErrorReporter.make(() => {}), { report }))
  })

/** A collector that cannot be reached is no reason to stop: a line in the log, and on. */
const deliver = (client: HttpClient.HttpClient, url: Redacted.Redacted, report: ErrorReport): Effect.Effect<void> =>
  requestTo(url).pipe(
    HttpClientRequest.bodyJsonUnsafe(report),
    HttpClient.filterStatusOk(client).execute,
    Effect.flatMap((response) => response.arrayBuffer),
    (attempt) => Timeout.failAfter(attempt, attemptLimit),
    Effect.retry(attempts),
    Effect.withTracerEnabled(false),
    Effect.asVoid,
    Effect.catch((error) => Effect.annotateLogs(Effect.logWarning("a report of an error could not be delivered"), { why: error._tag, failures: report.failures.length }))
  )

/** A name and a password in the address go into a header: `fetch` takes no address that has them. */
const requestTo = (url: Redacted.Redacted): HttpClientRequest.HttpClientRequest => {
  const address = new URL(Redacted.value(url))
  const { password, username } = address
  address.username = address.password = ""
  const request = HttpClientRequest.post(address.href)
  return username === "" && password === "" ? request : HttpClientRequest.basicAuth(request, decodeURIComponent(username), decodeURIComponent(password))
}
