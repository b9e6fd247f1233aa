/** Pairs of connected streams over every transport, for whatever must hold on all of them. */
import { Deferred, Effect, type Scope } from "effect"
import type { Errors } from "effect-nursery"
import { type Address, type Connection, Network } from "effect-nursery/net/Network"

/** The two ends of one connection, over the network that is provided. The listener is closed again. */
export const connectedPair = <A extends Address>(
  at: A,
  to: (bound: A) => A = (bound) => bound
): Effect.Effect<readonly [Connection<A>, Connection<A>], Errors.Broken, Scope.Scope> =>
  Effect.gen(function*() {
    const network = yield* Network
    const accepted = yield* Deferred.make<Connection<A>, Errors.Broken>()
    const listener = yield* network.listen(at, {
      connected: (connection) => {
        if (!Deferred.doneUnsafe(accepted, Effect.succeed(connection))) Effect.runFork(connection.abort)
      },
      failed: (error) => void Deferred.doneUnsafe(accepted, Effect.fail(error))
    })
    const client = yield* network.connect(to(listener.address))
    const server = yield* Effect.acquireRelease(Deferred.await(accepted), (connection) => connection.abort)
    yield* listener.close
    return [client, server] as const
  })
