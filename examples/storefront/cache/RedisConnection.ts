/**
 * Redis, as the rest of the application sees it: it may be there, or not, and nobody waits long to find out. What needs it
 * has another way to do without.
 */
import { Context, Data, Duration, Effect, Layer, Logger, Option, Redacted, Schedule } from "effect"
import { Timeout } from "effect-nursery"
import type { Redis } from "effect/persistence"
import type { StorefrontConfig } from "../Config.ts"
import { whyOf } from "../Why.ts"

/** It is not there, or has not answered in time. */
export class RedisAway extends Data.TaggedError("RedisAway")<{ readonly cause?: unknown }> {}

export class RedisConnection extends Context.Service<RedisConnection, {
  /** It is meant to be used: its address is in the configuration. */
  readonly configured: boolean
  /** Asks it something. Fails soon when it does not answer, and then at once, until a try succeeds again. */
  readonly ask: <A>(use: (redis: Redis.Redis["Service"]) => Effect.Effect<A, Redis.RedisError>) => Effect.Effect<A, RedisAway>
}>()("storefront/RedisConnection") {}

/** After a failure nobody asks for so long; then one asks, and if that works, all do. */
const restAfterFailure = Duration.seconds(1)

/** From a quarter of a second to two. */
const tryAgain = Schedule.exponential("250 millis", 1.5).pipe(Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(2)))))

/** How often to look whether the client still tries to reconnect. */
const lookAgain = Duration.seconds(1)

const away = Effect.fail(new RedisAway({}))

/** Keeps a connection for as long as it runs. A task for `nursery.start`: it gives its handle at once. */
export const run = ({ redisTimeout, redisUrl }: Pick<StorefrontConfig, "redisUrl" | "redisTimeout">) => (started: (connection: RedisConnection["Service"]) => Effect.Effect<void>): Effect.Effect<void> =>
  Option.match(redisUrl, {
    onNone: () => started({ configured: false, ask: () => away }),
    onSome: (url) => connect(Redacted.value(url), redisTimeout, started)
  })

const connect = (url: string, patience: Duration.Duration, started: (connection: RedisConnection["Service"]) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.gen(function*() {
    // Loaded only by those who use them: they are not small.
    const { CircuitBreaker, NodeRedis, Redis } = yield* Effect.promise(async () => ({
      ...await import("effect/persistence"),
      NodeRedis: await import("@effect/platform-node/NodeRedis")
    }))
    const breaker = yield* CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(1), openDuration: restAfterFailure }).pipe(
      Effect.provide(CircuitBreaker.layerStoreMemory())
    )
    const report = new Report(yield* Effect.context<never>())
    let current: Redis.Redis["Service"] | undefined
    yield* started({
      configured: true,
      ask: (use) =>
        Effect.suspend(() =>
          current === undefined ? away : use(current).pipe(
            Timeout.failAfter(patience),
            breaker.execute({ key: "redis" }),
            Effect.mapError((cause) => new RedisAway({ cause }))
          )
        )
    })
    // Once: connect, and stay for as long as the client reconnects by itself.
    const once = Effect.scoped(Effect.gen(function*() {
      const services = yield* Layer.build(NodeRedis.layer({
        url,
        // A command that cannot be sent now is not sent later: its answer would come when nobody waits for it any more.
        disableOfflineQueue: true,
        socket: { connectTimeout: 5000 }
      })).pipe(
        // It would tell of each try. We do that (Report), once.
        Effect.provide(Logger.layer([]))
      )
      const { client } = Context.get(services, NodeRedis.NodeRedis)
      yield* Effect.acquireRelease(
        Effect.sync(() => void (current = Context.get(services, Redis.Redis))),
        // There is nothing to say goodbye for, and to wait for the answers of one that hangs would take for ever.
        () => Effect.sync(() => {
          current = undefined
          if (client.isOpen) client.destroy()
        })
      )
      client.on("error", report.away).on("ready", report.ready)
      report.ready()
      while (client.isOpen) yield* Effect.sleep(lookAgain)
      return yield* new RedisAway({ cause: new Error("the connection has ended") })
    }))
    return yield* once.pipe(
      Effect.tapError(({ cause }) => Effect.sync(() => report.away(cause))),
      Effect.retry(tryAgain),
      Effect.orDie
    )
  }).pipe(Effect.scoped)

/** Tells the log when Redis goes and when it comes, and not how often it is tried meanwhile: it may be away for long. */
class Report {
  readonly #run: (line: Effect.Effect<void>) => void
  #said: "nothing" | "ready" | "away" = "nothing"

  constructor(context: Context.Context<never>) {
    this.#run = Effect.runSyncWith(context)
  }

  readonly ready = (): void => {
    if (this.#said === "ready") return
    this.#said = "ready"
    this.#run(Effect.logInfo("Redis is ready"))
  }

  readonly away = (cause: unknown): void => {
    if (this.#said === "away") return
    this.#said = "away"
    this.#run(Effect.annotateLogs(Effect.logWarning("Redis is not there, and is tried again; the application does without"), { why: whyOf(cause) }))
  }
}
