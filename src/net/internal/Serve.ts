/** Servers: listeners, a nursery with a task for each connection, and an end in two phases. */
import * as Effect from "effect/Effect"
import type * as Errors from "../../core/Errors.ts"
import * as CancelScope from "../../core/CancelScope.ts"
import { type AnyEffect, open } from "../../core/internal/Block.ts"
import { openCollecting } from "../../core/internal/CollectingBlock.ts"
import type { Startable } from "../../core/Nursery.ts"
import type * as Scope from "effect/Scope"
import * as Timeout from "../../core/Timeout.ts"
import type { Options, Report } from "../Server.ts"
import type { Address } from "./Address.ts"
import { LimitedStream, looksPerLimit, tooSlow } from "./LimitedStream.ts"
import { ProgressScope } from "./ProgressScope.ts"
import { ServerBlock } from "./ServerBlock.ts"
import { planOf, type ServePlan } from "./ServePlan.ts"
import type { Acceptor, Connection, Listener } from "./Transport.ts"
import type { Visit } from "./Visit.ts"

/** What the kinds of servers differ in. */
export interface Kind<A extends Address, S extends Connection, V> {
  /** Listens wherever it has to. At least one. */
  readonly listen: (acceptor: Acceptor<A>) => Effect.Effect<ReadonlyArray<Listener<A>>, Errors.Broken, Scope.Scope>
  /** What `started` is told. */
  readonly started: (addresses: ReadonlyArray<A>) => V
  /** Makes of a connection what the handler gets. When it fails or is cancelled, it has aborted the connection. */
  readonly prepare?: (connection: Connection<A>) => Effect.Effect<S, Errors.Broken>
  /** Puts limits on a stream that has more to it than a connection. */
  readonly limited?: (stream: S, writeMillis: number) => LimitedStream
}

/** A server, as a function of `started`. */
export const serve = <A extends Address, S extends Connection, V, R, R2>(
  kind: Kind<A, S, V>,
  handler: (stream: S) => Effect.Effect<unknown, any, R>,
  options: Options<any, R2>
): Startable<V, Report, Errors.Broken, R | R2> =>
(started) =>
  Effect.suspend(() => {
    const plan = planOf(options)
    let server: ServerBlock | undefined
    const body = (block: ServerBlock): AnyEffect => {
      server = block
      return Effect.scoped(bodyOf(block, kind, started)) as AnyEffect
    }
    const opened = openCollecting(() => new ServerBlock(body, visitor(kind, handler, plan), plan)) as Effect.Effect<void, Errors.Broken>
    const reported = Effect.onExit(opened, () => server?.tellReport ?? Effect.void)
    return Effect.map(reported, () => server!.report)
  })

const bodyOf = <A extends Address, S extends Connection, V>(
  server: ServerBlock,
  kind: Kind<A, S, V>,
  started: (value: V) => Effect.Effect<void>
) =>
  Effect.gen(function*() {
    const listeners = yield* kind.listen(server)
    yield* started(kind.started(listeners.map((listener) => listener.address)))
    yield* CancelScope.whenStopping
    for (const listener of listeners) yield* listener.close
    server.stop(true)
    yield* server.drain
  })

/** What runs for each connection. Without time limits nothing comes between it and the handler. */
const visitor = <A extends Address, S extends Connection>(
  kind: Kind<A, S, unknown>,
  handler: (stream: S) => Effect.Effect<unknown, any, any>,
  plan: ServePlan
): (visit: Visit) => AnyEffect => {
  const { heartbeat, idleMillis, writeMillis } = plan
  const limitedStream = writeMillis !== Infinity || heartbeat !== undefined
  const withLimits = (visit: Visit, stream: S): AnyEffect => {
    if (!limitedStream) return withIdleLimit(stream, idleMillis, handler(stream) as AnyEffect)
    const limited = kind.limited?.(stream, writeMillis) ?? new LimitedStream(stream, writeMillis)
    const handled = withIdleLimit(stream, idleMillis, Effect.suspend(() => handler(limited as Connection as S)) as AnyEffect)
    return heartbeat === undefined ? handled : withHeartbeat(visit, limited, heartbeat, handled)
  }
  const use = (visit: Visit, stream: S): AnyEffect => {
    const uses = visit.uses(stream)
    return uses === undefined ? withLimits(visit, stream) : Effect.andThen(uses, Effect.suspend(() => withLimits(visit, stream)))
  }
  const { prepare } = kind
  if (prepare === undefined) return (visit) => use(visit, visit.connection as S)
  return (visit) =>
    Effect.flatMap(
      Timeout.failAfter(prepare(visit.connection as Connection<A>), plan.handshakeMillis, { name: "handshake" }),
      (stream) => use(visit, stream)
    ) as AnyEffect
}

const withIdleLimit = (stream: Connection, millis: number, self: AnyEffect): AnyEffect => {
  if (millis === Infinity) return self
  const progress = { now: () => stream.bytesReceived + stream.bytesSent }
  return open(() => new ProgressScope(tooSlow, "idle", () => self, millis, millis / looksPerLimit, progress))
}

const withHeartbeat = (visit: Visit, stream: LimitedStream, beat: NonNullable<ServePlan["heartbeat"]>, self: AnyEffect): AnyEffect => {
  const progress = {
    now: () => stream.bytesReceived,
    stoodStill: () => visit.beside("heartbeat", stream.beat(beat.message))
  }
  return open(() => new ProgressScope(tooSlow, "heartbeat", () => self, beat.everyMillis * (beat.missed + 1), beat.everyMillis, progress))
}
