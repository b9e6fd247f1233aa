/**
 * The connection to Redis, which comes back by itself. A command waits while there is none and is sent again when its answer
 * was lost; after a time it fails. The commands of a turn go out together.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Context, Effect, Layer, References, type Scope } from "effect"
import { Timeout } from "effect-nursery"
import { Redis } from "effect/persistence"
import { Unavailable } from "../Bus.ts"
import type { Argument, Common, Script } from "./Scripts.ts"

export interface ConnectionOptions {
  /** Such as `redis://127.0.0.1:6379`. */
  readonly url: string
  /** How long a command may take, in milliseconds, with all attempts. */
  readonly giveUpAfter: number
  /** A connection is given up on which nothing is answered for so long, in milliseconds. Something is asked more often. */
  readonly silence: number
}

type Client = NodeRedis.NodeRedis["Service"]["client"]

/** The longest pause between two attempts to connect. */
const longestPauseMillis = 500

/** Before a command is sent again. */
const againAfter = "20 millis"

export class Connection {
  private readonly client: Client
  private readonly redis: Redis.Redis["Service"]
  private readonly options: ConnectionOptions
  /** When Redis has answered last. */
  private answeredAt = performance.now()

  constructor(client: Client, redis: Redis.Redis["Service"], options: ConnectionOptions) {
    this.client = client
    this.redis = redis
    this.options = options
  }

  /** Runs a script. It may have been run twice when it succeeds, so it must know what it has done already. */
  run<A>(script: Script<A>, common: Common, ...own: ReadonlyArray<Argument>): Effect.Effect<A, Unavailable> {
    return this.persist(Effect.suspend(() => this.redis.eval(script)(common, ...own)))
  }

  /** A command that only asks. */
  ask<A>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Unavailable> {
    return this.persist(this.redis.send<A>(command, ...args))
  }

  /** A connection of one's own, for a command that waits. It does not come back: take another one. */
  get reserve(): Effect.Effect<Redis.Connection, Redis.RedisError, Scope.Scope> {
    return Effect.andThen(this.whenReady, this.redis.reserve)
  }

  private readonly whenReady = Effect.callback<void>((resume) => {
    if (this.client.isReady) return resume(Effect.void)
    const ready = () => resume(Effect.void)
    this.client.once("ready", ready)
    return Effect.sync(() => void this.client.off("ready", ready))
  })

  private readonly answered = Effect.sync(() => void (this.answeredAt = performance.now()))

  /**
   * The task that gives up a connection that is there, and answers nothing: a cable was cut, or a machine has lost its power.
   * The limit of the socket does not see it, because what we write counts as a sign of life, too.
   */
  get watch(): Effect.Effect<never> {
    const { silence } = this.options
    return Effect.sleep(silence / 4).pipe(
      Effect.andThen(Effect.suspend(() => this.client.isReady && performance.now() - this.answeredAt > silence ? this.renew : Effect.void)),
      Effect.forever({ disableYield: true })
    )
  }

  /** What was not answered fails with it, and is sent again. */
  private readonly renew = Effect.ignore(Effect.tryPromise(() => {
    this.client.destroy()
    return this.client.connect()
  })).pipe(Effect.andThen(this.answered))

  private persist<A>(command: Effect.Effect<A, Redis.RedisError>): Effect.Effect<A, Unavailable> {
    return Effect.andThen(this.whenReady, command).pipe(
      Effect.tap(this.answered),
      Effect.tapError((error) => isPassing(error) ? Effect.sleep(againAfter) : Effect.logError("Redis has refused a command", error.cause)),
      Effect.retry({ while: isPassing }),
      Timeout.failAfter(this.options.giveUpAfter, { name: "Redis" }),
      Effect.mapError((cause) => new Unavailable({ cause }))
    )
  }
}

/** What Redis itself says begins with a code, such as `WRONGTYPE`; what is wrong with the connection does not. */
const reply = /^[A-Z]{2,} /u

/** What it says while it starts, fails over, or has no room on its disk. */
const passingReplies = /^(?:LOADING|BUSY|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/u

/** Whether the same command can succeed a little later. */
const isPassing = ({ cause }: Redis.RedisError): boolean => {
  const { message } = cause as Error
  return !reply.test(message) || passingReplies.test(message)
}

/** Connects; as long as the scope. */
export const make = (options: ConnectionOptions): Effect.Effect<Connection, Unavailable, Scope.Scope> =>
  Layer.build(NodeRedis.layer({
    url: options.url,
    // Answers are lists, also where the newer protocol has maps.
    RESP: 2,
    // A command that nobody waits for any more must not be sent later.
    disableOfflineQueue: true,
    socket: {
      socketTimeout: options.silence,
      reconnectStrategy: (retries) => Math.min(2 ** retries * 20, longestPauseMillis) * (0.5 + Math.random() / 2)
    }
  })).pipe(
    // It warns at each attempt. We tell once when Redis is away, and once when it is back (Presence.ts).
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Timeout.failAfter(options.giveUpAfter, { name: "Redis" }),
    Effect.mapError((cause) => new Unavailable({ cause })),
    Effect.map((context) => new Connection(Context.get(context, NodeRedis.NodeRedis).client, Context.get(context, Redis.Redis), options))
  )
