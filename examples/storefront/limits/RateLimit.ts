/**
 * A limit of the requests that a client may make in a minute: more are answered 429, with the time after which it may ask
 * again. Off when the configuration names none; what is not limited costs nothing then.
 *
 * The windows are in Redis, so that the limit holds for all processes together; in memory without Redis, and while it is
 * away.
 */
import { Clock, Duration, Effect, Option } from "effect"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"
import type { RedisConnection } from "../cache/RedisConnection.ts"
import type { StorefrontConfig } from "../Config.ts"
import { pathOf, problem } from "../http/Faults.ts"
import { clientOf } from "./Client.ts"
import { makeRedisWindows, MemoryWindows, type Taken } from "./Windows.ts"

const window = Duration.minutes(1)

/** Clients in memory, at most. */
const capacity = 100_000

/** Who watches the application asks often, and must get an answer when it is busy. */
const unlimited: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"])

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

export const withRateLimit = <E, R>(
  app: App<E, R>,
  { rateLimit, redisPrefix, trustProxy }: Pick<StorefrontConfig, "rateLimit" | "redisPrefix" | "trustProxy">,
  redis: RedisConnection["Service"]
): Effect.Effect<App<E, R | HttpServerRequest.HttpServerRequest>> =>
  Option.match(rateLimit, {
    onNone: () => Effect.succeed(app),
    onSome: (limit) =>
      Effect.map(makeTake(redisPrefix, redis), (take) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
          unlimited.has(pathOf(request.url)) ? app : Effect.flatMap(take(clientOf(request, trustProxy)), ({ count, restMillis }) =>
            count <= limit ? app : Effect.succeed(refused(limit, restMillis)))))
  })

/** Counts a request of a client. */
const makeTake = (prefix: string, redis: RedisConnection["Service"]): Effect.Effect<(client: string) => Effect.Effect<Taken>> =>
  Effect.gen(function*() {
    const memory = new MemoryWindows(Duration.toMillis(window), capacity)
    const here = (client: string) => Effect.map(Clock.currentTimeMillis, (now) => memory.take(client, now))
    if (!redis.configured) return here
    const shared = yield* Effect.promise(() => makeRedisWindows(`${prefix}limit:`, Duration.toMillis(window)))
    return (client: string) => Effect.catch(redis.ask(shared(client)), () => here(client))
  })

const refused = (limit: number, restMillis: number) =>
  problem(429, `A client may make ${limit} requests in a minute.`, { "retry-after": String(Math.ceil(restMillis / 1000)) })
