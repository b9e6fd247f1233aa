/** Listens at one port of several addresses. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Errors from "../../core/Errors.ts"
import { Network } from "../Network.ts"
import type { TcpAddress } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { portOf } from "./Port.ts"
import type { Acceptor, Listener, ListenOptions } from "./Transport.ts"

export interface TcpPlace extends ListenOptions {
  readonly hosts: ReadonlyArray<string>
  readonly port: number
}

type Listeners = ReadonlyArray<Listener<TcpAddress>>

/** How often the system may choose a port that is taken at another address. */
const mostChoices = 10

/** This machine has no such address, as many have no `::1` although they know its name. */
const notHere = ["EADDRNOTAVAIL", "EAFNOSUPPORT"]

const codeOf = (error: Errors.Broken): unknown => (error.cause as { readonly code?: unknown } | undefined)?.code

const what = (host: string, port: number): string => `listener tcp ${nameOf({ _tag: "Tcp", host, port })}`

export const placeOf = (options: ListenOptions & { readonly host?: string | ReadonlyArray<string>; readonly port: number }): TcpPlace => {
  const { host = "127.0.0.1" } = options
  const port = portOf(options.port, 0)
  const hosts = typeof host === "string" ? [host] : host
  if (hosts.length === 0) throw new RangeError("Expected `host` to have at least one host, got `[]`")
  return { ...options, hosts, port }
}

export const listenTcp = (place: TcpPlace, acceptor: Acceptor<TcpAddress>): Effect.Effect<Listeners, Errors.Broken, Scope.Scope> =>
  Effect.flatMap(Network, (network) =>
    Effect.gen(function*() {
      const addresses = yield* addressesOf(place)
      for (let choice = 1;; choice++) {
        const scope = yield* Effect.flatMap(Effect.scope, (around) => Scope.fork(around))
        const exit = yield* Effect.exit(Scope.provide(listenAll(network, addresses, place, acceptor), scope))
        if (Exit.isSuccess(exit)) return exit.value
        yield* Scope.close(scope, exit)
        if (!isTaken(exit) || place.port !== 0 || addresses.length === 1 || choice === mostChoices) return yield* exit
      }
    }))

const addressesOf = Effect.fnUntraced(function*({ hosts, port }: TcpPlace) {
  const network = yield* Network
  const all = new Set<string>()
  for (const host of hosts) {
    const addresses = yield* Effect.mapError(network.lookup(host), ({ cause }) => new Errors.Broken({ what: what(host, port), cause }))
    for (const address of addresses) all.add(address)
  }
  return [...all]
})

const listenAll = Effect.fnUntraced(function*(
  network: Network,
  addresses: ReadonlyArray<string>,
  place: TcpPlace,
  acceptor: Acceptor<TcpAddress>
) {
  const listeners: Array<Listener<TcpAddress>> = []
  let missing: Errors.Broken | undefined
  for (const host of addresses) {
    // The system chooses the port of the first one; the others have the same.
    const at: TcpAddress = { _tag: "Tcp", host, port: listeners[0]?.address.port ?? place.port }
    const exit = yield* Effect.exit(network.listen(at, acceptor, place))
    if (Exit.isSuccess(exit)) listeners.push(exit.value)
    else {
      const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
      if (error === undefined || !notHere.includes(String(codeOf(error)))) return yield* Effect.failCause(exit.cause)
      missing ??= error
    }
  }
  if (listeners.length === 0) return yield* Effect.fail(missing!)
  return listeners
})

const isTaken = (exit: Exit.Failure<unknown, Errors.Broken>): boolean =>
  exit.cause.reasons.some((reason) => reason._tag === "Fail" && codeOf(reason.error) === "EADDRINUSE")
