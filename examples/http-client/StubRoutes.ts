/**
 * What the stub answers: a server that is slow, fails and breaks off when it is told to, so that a client can be tried.
 *
 * It knows of no sockets. `stub.ts` puts it on a port; `InProcess.ts` puts it behind a client without any network, where
 * a test can run it in virtual time.
 */
import { ByteSize, Data, Duration, Effect, Exit, Layer, Schema, type Scope, Stream } from "effect"
import { Event, Timeout, Watch } from "effect-nursery"
import { HttpIncomingMessage, HttpRouter, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"

/** The stub wants the connection to be gone, without an answer. Who puts it on a network does that. */
export class Reset extends Data.TaggedError("Reset")<{}> {}

/** What became of one request. `Left`: the client went away before the answer was complete. */
export type Visit =
  | { readonly _tag: "Answered"; readonly path: string; readonly after: Duration.Duration }
  | { readonly _tag: "Left"; readonly path: string; readonly after: Duration.Duration }

export interface Stub {
  /** Answers one request. Cancelling it is what a client does that goes away. */
  readonly handle: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    HttpServerError.HttpServerError | Reset,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** Requests that are being answered right now. */
  readonly inFlight: Watch.Watch<number>
  /** The most that have been answered at the same time. */
  readonly peak: () => number
}

// --- limits: nobody can make the stub wait for ever or fill its memory ---

const longestDelayMillis = 60_000
const largestPage = 1_000_000
const largestLogin = ByteSize.kibibytes(10)
const mostDrops = 600
const mostRedirects = 50
const mostGuests = 1000
const mostCounters = 1000

const dropEvery = "100 millis"

// --- what stands in a path ---

const upTo = (maximum: number) => Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum }))

/** Reads the one number of a path such as `/delay/:n`, or says with 400 which numbers it takes. */
const withNumber = <E, R>(maximum: number, answer: (n: number) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  HttpRouter.schemaPathParams(Schema.Struct({ n: upTo(maximum) })).pipe(
    Effect.matchEffect({
      onFailure: () => Effect.succeed(text(`expected a whole number from 0 to ${maximum}\n`, 400)),
      onSuccess: ({ n }) => answer(n)
    })
  )

const text = (body: string, status = 200, headers: Readonly<Record<string, string>> = {}) => HttpServerResponse.text(body, { status, headers })

const item = (id: number) => HttpServerResponse.jsonUnsafe({ id, name: `item ${id}`, price: id * 100 })

const index = `what the stub has:

  /page/SIZE         a page of so many bytes, at once
  /delay/MILLIS      a page after so many milliseconds
  /status/CODE       an answer with this status
  /flaky/TIMES       fails so many times (503), then gives an item; counted for each query, such as /flaky/2?for=Ada
  /busy/TIMES        the same with 429, and a Retry-After of one second
  /meet/COUNT        answers nobody until so many are waiting
  /drip/COUNT        the head at once, then a byte every 100 milliseconds
  /redirect/TIMES    leads on so many times, then to /page/12
  /item/ID           an item as JSON
  /not-json          claims to be JSON
  /cut               promises more than it sends
  /reset             ends the connection without an answer
  POST /login        takes {"user": "...", "password": "..."}, and gives a cookie
`

// #region routes
const routes = (counters: Counters, rooms: Rooms) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/", Effect.succeed(text(index))),
    HttpRouter.add("GET", "/page/:n", withNumber(largestPage, (size) => Effect.succeed(text("x".repeat(size))))),
    // An answer that takes time is an effect that sleeps. Others are answered meanwhile.
    HttpRouter.add("GET", "/delay/:n", withNumber(longestDelayMillis, (millis) => Effect.as(Effect.sleep(millis), text(`that took ${millis} ms\n`)))),
    HttpRouter.add("GET", "/status/:n", withNumber(599, (status) =>
      Effect.succeed(status < 200 ? text("expected a status from 200 to 599\n", 400) : text(`status ${status}\n`, status)))),
    HttpRouter.add("GET", "/flaky/:n", failing(counters, 503, {})),
    HttpRouter.add("GET", "/busy/:n", failing(counters, 429, { "retry-after": "1" })),
    HttpRouter.add("GET", "/meet/:n", withNumber(mostGuests, (guests) => rooms.meet(guests))),
    HttpRouter.add("GET", "/drip/:n", withNumber(mostDrops, (drops) => Effect.succeed(HttpServerResponse.stream(drip(drops))))),
    HttpRouter.add("GET", "/redirect/:n", withNumber(mostRedirects, (times) =>
      Effect.succeed(HttpServerResponse.redirect(times === 0 ? "/page/12" : `/redirect/${times - 1}`)))),
    HttpRouter.add("GET", "/item/:n", withNumber(1_000_000, (id) => Effect.succeed(item(id)))),
    HttpRouter.add("GET", "/not-json", Effect.succeed(HttpServerResponse.text("{\"id\": 1, ", { contentType: "application/json" }))),
    HttpRouter.add("GET", "/cut", Effect.succeed(HttpServerResponse.stream(cutOff, { contentLength: 1000 }))),
    HttpRouter.add("GET", "/reset", Effect.fail(new Reset())),
    HttpRouter.add("POST", "/login", login)
  )
// #endregion

/** Fails the first `n` requests for one URL, and answers those after them. */
const failing = (counters: Counters, status: number, headers: Readonly<Record<string, string>>) =>
  withNumber(1000, (times) =>
    Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
      const tries = counters.next(url)
      return tries <= times ? text(`failure ${tries} of ${times}\n`, status, headers) : item(tries)
    }))

const drop = new TextEncoder().encode(".")
const drip = (drops: number) => Stream.range(1, drops).pipe(Stream.mapEffect(() => Effect.as(Effect.sleep(dropEvery), drop)))
const cutOff = Stream.concat(Stream.make(new TextEncoder().encode("half of it ")), Stream.fail(new Reset()))

const Login = Schema.Struct({ user: Schema.NonEmptyString, password: Schema.NonEmptyString })

const login = HttpServerRequest.schemaBodyJson(Login).pipe(
  Effect.matchEffect({
    onFailure: () => Effect.succeed(text("expected a user and a password as JSON\n", 400)),
    onSuccess: ({ user }) => HttpServerResponse.setCookie(HttpServerResponse.jsonUnsafe({ welcome: user }), "session", "of-the-stub", { httpOnly: true })
  }),
  Effect.orDie,
  Effect.provideService(HttpIncomingMessage.MaxBodySize, largestLogin)
)

// --- state ---

/** How often each URL was asked for. The oldest is forgotten when there are too many. */
class Counters {
  readonly #tries = new Map<string, number>()

  next(url: string): number {
    const tries = (this.#tries.get(url) ?? 0) + 1
    if (tries === 1 && this.#tries.size >= mostCounters) this.#tries.delete(this.#tries.keys().next().value!)
    this.#tries.set(url, tries)
    return tries
  }
}

/** Those who wait for each other. Who leaves is not waited for any more. */
class Rooms {
  readonly #open = new Map<number, { present: number; readonly full: Event.Event }>()

  meet(count: number): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const enter = Effect.gen({ self: this }, function*() {
      const full = yield* Event.make({ name: `a meeting of ${count}` })
      const room = this.#open.get(count) ?? { present: 0, full }
      this.#open.set(count, room)
      room.present++
      if (room.present < count) return room
      // The last one lets the others go, and closes the room: who comes now waits for others.
      this.#open.delete(count)
      yield* room.full.set
      return room
    })
    return Effect.acquireUseRelease(
      enter,
      (room) => Effect.as(room.full.wait, text(`${count} have met\n`)),
      (room) =>
        Effect.sync(() => {
          room.present--
          if (room.present === 0 && this.#open.get(count) === room) this.#open.delete(count)
        })
    )
  }
}

// --- the whole ---

/** A stub of its own. `onVisit` is told what became of each request. */
export const make = (onVisit: (visit: Visit) => Effect.Effect<void> = () => Effect.void): Effect.Effect<Stub, never, Scope.Scope> =>
  Effect.gen(function*() {
    const inFlight = yield* Watch.make(0, { name: "requests" })
    let peak = 0
    const app = yield* HttpRouter.toHttpEffect(routes(new Counters(), new Rooms()))

    // #region seen
    // The Scope of a request ends when its answer is complete, or when the client has gone away. Its exit says which.
    const seen = Effect.gen(function*() {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const came = yield* Timeout.now
      const now = yield* Effect.acquireRelease(inFlight.update((n) => n + 1), (_, exit) =>
        Effect.gen(function*() {
          const after = Duration.millis((yield* Timeout.now) - came)
          yield* onVisit({ _tag: Exit.hasInterrupts(exit) ? "Left" : "Answered", path: url, after })
          yield* inFlight.update((n) => n - 1)
        }))
      peak = Math.max(peak, now)
      return yield* app
    })
    // #endregion

    return { handle: seen, inFlight, peak: () => peak }
  })

/** A visit in one line. */
export const toText = ({ _tag, after, path }: Visit): string =>
  `${_tag === "Left" ? "the client has left" : "answered"} ${path} after ${Math.round(Duration.toMillis(after))} ms`
