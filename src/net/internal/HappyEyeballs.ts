/** Connecting to the fastest of several addresses (RFC 8305), without waiting long for one that does not answer. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Broken } from "../../core/Errors.ts"
import * as Tasks from "../../core/Tasks.ts"
import type { Network } from "../Network.ts"
import type { TcpAddress } from "./Address.ts"
import type { Connection, ConnectOptions } from "./Transport.ts"

/** How long an attempt has before the next one starts beside it: what RFC 8305 recommends. */
export const attemptMillis = 250

const isV6 = (address: string): boolean => address.includes(":")

/** One family after the other, beginning with the one that the system prefers. */
export const interleaved = (addresses: ReadonlyArray<string>): ReadonlyArray<string> => {
  const preferred = addresses.filter((address) => isV6(address) === isV6(addresses[0]!))
  const others = addresses.filter((address) => isV6(address) !== isV6(addresses[0]!))
  const order: Array<string> = []
  for (let i = 0; i < Math.max(preferred.length, others.length); i++) {
    if (i < preferred.length) order.push(preferred[i]!)
    if (i < others.length) order.push(others[i]!)
  }
  return order
}

interface Attempt {
  readonly host: string
  readonly scope: Scope.Closeable
  error: Broken | undefined
}

const reasonOf = ({ cause, message }: Broken): string => cause instanceof Error ? cause.message : message

const noneOf = (what: string, attempts: ReadonlyArray<Attempt>): Broken => {
  const errors = attempts.map(({ error }) => error!)
  const reasons = attempts.map(({ error, host }) => `${host}: ${reasonOf(error!)}`)
  return new Broken({ what, cause: new AggregateError(errors, `no address could be reached (${reasons.join("; ")})`) })
}

export const connectToAny = (
  network: Network,
  what: string,
  hosts: ReadonlyArray<string>,
  port: number,
  options: ConnectOptions,
  millis: number
): Effect.Effect<Connection<TcpAddress>, Broken, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const around = yield* Effect.scope
      const attempts = yield* Effect.forEach(hosts, (host) => Effect.map(Scope.fork(around), (scope): Attempt => ({ host, scope, error: undefined })))
      const tries = attempts.map((attempt) =>
        network.connect<TcpAddress>({ _tag: "Tcp", host: attempt.host, port }, options).pipe(
          Effect.map((connection) => ({ attempt, connection })),
          Effect.tapError((error) => Effect.sync(() => void (attempt.error = error))),
          Scope.provide(attempt.scope)
        )
      )
      const race = Tasks.firstSuccess(tries, { stagger: millis })
      const exit = yield* Effect.exit(restore(race))
      // Two may have succeeded in the same moment, so all are closed but the winner.
      const winner = Exit.isSuccess(exit) ? exit.value : undefined
      for (const attempt of attempts) {
        if (attempt !== winner?.attempt) yield* Scope.close(attempt.scope, lost)
      }
      if (winner !== undefined) return winner.connection
      const { cause } = exit as Exit.Failure<never, Broken>
      return yield* attempts.every(({ error }) => error !== undefined) && cause.reasons.every(Cause.isFailReason)
        ? Effect.fail(noneOf(what, attempts))
        : Effect.failCause(cause)
    })
  )

const lost: Exit.Exit<never> = Exit.interrupt()
