/** A user of a scenario: makes requests, takes the time of each, and tells the statistics. */
import { type Cookies, HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"
import { Duration, Effect, Exit, Option, Random, Ref, Stream } from "effect"
import { CancelScope, Timeout } from "effect-nursery"
import { type Answer, Over, type RequestOptions, type User } from "./Scenario.ts"
import type { Outcome, Statistics } from "./Statistics.ts"

/** Longer than this nobody waits for an answer. */
export const longestRequest: Duration.Input = "30 seconds"

// #region user
/** A user with a session of its own: cookies of one are not those of another. */
export const make = (number: number, base: URL, statistics: Statistics): Effect.Effect<User, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const cookies = yield* Ref.make<ReadonlyArray<Cookies.Cookie>>([])
    const client = (yield* HttpClient.HttpClient).pipe(HttpClient.withCookiesRef(cookies))

    const send = (request: HttpClientRequest.HttpClientRequest, path: string, options: RequestOptions | undefined) =>
      Effect.gen(function*() {
        yield* unlessOver
        const url = urlOf(base, path)
        const name = options?.name ?? `${request.method} ${url.pathname}`
        return yield* measured(client, HttpClientRequest.setUrl(request, url), (outcome, millis) => statistics.add(name, outcome, millis))
      })

    return {
      number,
      get: (path, options) => send(HttpClientRequest.get(path), path, options),
      post: (path, json, options) => send(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(path), json), path, options),
      pause: (least, most) =>
        Effect.gen(function*() {
          const millis = yield* Random.nextBetween(Duration.toMillis(least), Duration.toMillis(most))
          // Nobody waits for somebody who thinks.
          const thought = yield* CancelScope.untilStopping(Effect.sleep(millis))
          if (Option.isNone(thought)) return yield* new Over()
        })
    }
  })
// #endregion

/** Goes on, or ends the turn if the run was asked to stop. A limit of nothing asks, and does not wait. */
export const unlessOver = Effect.flatMap(Timeout.moveOnAfter(CancelScope.whenStopping, 0), (asked) => Option.isSome(asked) ? Effect.fail(new Over()) : Effect.void)

/** A scenario stays on the server that it was started for. That it does not is a bug in it, and ends the run. */
const urlOf = (base: URL, path: string): URL => {
  const url = new URL(path, base)
  if (url.origin === base.origin) return url
  throw new Error(`a scenario requests paths of ${base.origin}, got ${JSON.stringify(path)}, which is somewhere else`)
}

// #region measured
/** One request, from the first byte out to the last byte in. */
const measured = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  tell: (outcome: Outcome, millis: number) => void
): Effect.Effect<Answer> =>
  Effect.gen(function*() {
    const began = yield* Timeout.now
    return yield* client.execute(request).pipe(
      // The body is counted and not kept, so a large one costs no memory.
      Effect.flatMap((response) => Effect.map(bytesOf(response.stream), (bytes) => ({ status: response.status, bytes }))),
      Timeout.failAfter(longestRequest),
      Effect.match({
        onSuccess: ({ bytes, status }) => status < 400 ? { answer: answered(status), outcome: { _tag: "Answered", bytes } as const } : failed(`status ${status}`),
        onFailure: (error) => failed(kindOf(error))
      }),
      // Told in any case: a request that is cancelled, because the run is over, is told as such.
      Effect.onExit((exit) =>
        Effect.map(Timeout.now, (now) => tell(Exit.isSuccess(exit) ? exit.value.outcome : { _tag: "Unfinished" }, now - began))
      ),
      Effect.map(({ answer }) => answer)
    )
  })
// #endregion

const bytesOf = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) => Stream.runFold(stream, () => 0, (sum, chunk) => sum + chunk.length)

const answered = (status: number): Answer => ({ _tag: "Answered", status })

const failed = (kind: string): { readonly answer: Answer; readonly outcome: Outcome } => ({ answer: { _tag: "Failed", kind }, outcome: { _tag: "Failed", kind } })

/** A failure in few words, so that equal ones are counted together: no ports, no times. */
const kindOf = (error: HttpClientError.HttpClientError | { readonly _tag: "TooSlow" }): string => {
  if (error._tag === "TooSlow") return `no answer within ${Duration.format(Duration.fromInputUnsafe(longestRequest))}`
  const { reason } = error
  if (reason._tag === "DecodeError") return "the answer broke off"
  const cause = "cause" in reason ? reason.cause : undefined
  return cause instanceof Error && "code" in cause ? `no answer: ${String(cause.code)}` : "no answer"
}
