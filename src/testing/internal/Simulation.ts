/** The hosts of a simulated network, and what lies between them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Broken } from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { type Timer, type Timers, timersFor } from "../../core/internal/Timers.ts"
import { Wait } from "../../core/internal/Wait.ts"
import { nameOf } from "../../net/internal/AddressText.ts"
import type { Acceptor, Address, Connection, ConnectOptions, Listener, ListenOptions, Network } from "../../net/Network.ts"
import { SeededRandom } from "./SeededRandom.ts"
import { SimulatedEnd } from "./SimulatedConnection.ts"
import { clientAddress, type Listening, SimulatedHost } from "./SimulatedHost.ts"
import { type LinkRules, Route, SimulatedWire, type Weather } from "./SimulatedRoute.ts"
import { secure } from "./SimulatedTls.ts"
import { systemError } from "./StreamEnd.ts"

export interface SimulationRules {
  readonly link: LinkRules
  readonly seed: number
  readonly windowBytes: number
  readonly connectMillis: number
  readonly giveUpMillis: number
}

const isAddress = (host: string): boolean => host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host)

const failure = (what: string, code: string, message: string): Exit.Exit<never, Broken> =>
  Exit.fail(new Broken({ what, cause: systemError(code, message) }))

const millisOf = (duration: Duration.Input | undefined): number => duration === undefined ? Infinity : Duration.toMillis(duration)

const kindOf = (address: Address): string => `${address._tag === "Unix" ? "unix" : "tcp"} ${nameOf(address) ?? "without a name"}`

export interface Pair {
  readonly client: SimulatedEnd
  readonly server: SimulatedEnd
}

/** Somebody connects. */
interface Call extends Pair {
  readonly to: Address
  readonly keepAliveMillis: number
}

/** Whoever has the addresses at which nothing answers. It has never been switched on. */
const nowhere = new SimulatedHost("nowhere", [])
nowhere.crash()

export class Simulation implements Weather {
  readonly random: SeededRandom
  readonly timers: Timers
  readonly giveUpMillis: number
  private readonly rules: SimulationRules
  private readonly fiber: Fiber.Fiber<any, any>
  private readonly hosts = new Map<string, SimulatedHost>()
  private readonly routes = new Map<SimulatedHost, Map<SimulatedHost, Route>>()
  /** Addresses at which nothing answers, whoever has them. */
  readonly blackHoles = new Set<string>()
  private readonly networks = new Map<SimulatedHost, Network>()
  /** Connections of which somebody has an end that is not closed. */
  private readonly pairs = new Set<Pair>()

  constructor(rules: SimulationRules, fiber: Fiber.Fiber<any, any>) {
    this.rules = rules
    this.random = new SeededRandom(rules.seed)
    this.fiber = fiber
    this.timers = timersFor(fiber)
    this.giveUpMillis = rules.giveUpMillis
  }

  setTimer(at: number, run: () => void): Timer {
    return this.timers.set(at, { onDeadline: run }, this.fiber)
  }

  // --- hosts and links ---

  declare(name: string, addresses: ReadonlyArray<string>): void {
    for (const host of this.hosts.values()) {
      const taken = addresses.find((address) => host.addresses.includes(address))
      if (taken !== undefined) throw new RangeError(`Expected each address to be that of one host, got ${taken} for ${host.name} and ${name}`)
    }
    this.hosts.set(name, new SimulatedHost(name, addresses))
  }

  host(name: string): SimulatedHost {
    const known = this.hosts.get(name)
    if (known !== undefined) return known
    const number = this.hosts.size + 1
    this.declare(name, [`10.0.${number >> 8}.${number & 255}`])
    return this.hosts.get(name)!
  }

  route(from: SimulatedHost, to: SimulatedHost): Route {
    let routes = this.routes.get(from)
    if (routes === undefined) this.routes.set(from, routes = new Map())
    let route = routes.get(to)
    if (route === undefined) routes.set(to, route = new Route(from, to, this, this.rules.link))
    return route
  }

  /** Each pair of different hosts, one of which is `host`; or the two ways between `host` and `other`. */
  routesOf(host: string, other: string | undefined): Array<readonly [there: Route, back: Route]> {
    const one = this.host(host)
    const others = other === undefined ? [...this.hosts.values()].filter((_) => _ !== one) : [this.host(other)]
    return others.map((other) => [this.route(one, other), this.route(other, one)])
  }

  crash(name: string): void {
    this.host(name).crash()
  }

  restart(name: string): void {
    const host = this.host(name)
    host.state = "up"
    // What was sent to it meanwhile is sent again.
    for (const routes of this.routes.values()) routes.get(host)?.retry()
  }

  resetBetween(host: string, other: string | undefined): void {
    const one = this.host(host)
    const another = other === undefined ? undefined : this.host(other)
    for (const { client, server } of this.pairs) {
      const hosts = [client.host, server.host]
      if (!hosts.includes(one) || (another !== undefined && hosts[1 - hosts.indexOf(one)] !== another)) continue
      for (const end of [client, server]) {
        end.wire.kill()
        end.breakUnsafe(systemError("ECONNRESET", "the connection was reset on its way"))
      }
    }
  }

  private targetOf(from: SimulatedHost, to: Address): SimulatedHost {
    if (to._tag === "Unix") return from
    if (this.blackHoles.has(to.host)) return nowhere
    return from.has(to.host) ? from : this.ownerOf(to.host) ?? nowhere
  }

  private ownerOf(address: string): SimulatedHost | undefined {
    for (const host of this.hosts.values()) if (host.addresses.includes(address)) return host
    return undefined
  }

  get openPairs(): Array<Pair> {
    return [...this.pairs].filter(({ client, server }) => isAlive(client) || isAlive(server))
  }

  get listening(): Array<{ readonly host: string; readonly address: Address }> {
    return [...this.hosts.values()].flatMap((host) => host.listening.map((address) => ({ host: host.name, address })))
  }

  // --- the transport, as a host has it ---

  networkOf(name: string): Network {
    const host = this.host(name)
    const known = this.networks.get(host)
    if (known !== undefined) return known
    const network: Network = {
      lookup: (name) => this.lookup(name),
      connect: (to, options) => this.connect(host, to, options),
      listen: (at, acceptor, options) => this.listen(host, at, acceptor, options),
      secure
    }
    this.networks.set(host, network)
    return network
  }

  private lookup(name: string): Effect.Effect<ReadonlyArray<string>, Broken> {
    return Effect.suspend(() => {
      if (isAddress(name)) return Exit.succeed([name])
      if (name === "localhost") return Exit.succeed(["127.0.0.1"])
      const host = this.hosts.get(name)
      return host === undefined ? failure(`host ${name}`, "ENOTFOUND", "no host of the simulated network has this name") : Exit.succeed(host.addresses)
    })
  }

  private listen<A extends Address>(
    host: SimulatedHost,
    at: A,
    acceptor: Acceptor<A>,
    options: ListenOptions | undefined
  ): Effect.Effect<Listener<A>, Broken, Scope.Scope> {
    const listening = Effect.suspend((): Exit.Exit<Listening, Broken> => {
      const address: Address = at._tag === "Tcp" && at.port === 0 ? { ...at, port: host.freePort() } : at
      const what = `listener ${kindOf(address)}`
      if (address._tag === "Tcp" && !host.offers(address.host)) return failure(what, "EADDRNOTAVAIL", "the host has no such address")
      const ipv6Only = options?.ipv6Only === true
      if (host.isTaken({ address, ipv6Only })) return failure(what, "EADDRINUSE", "somebody listens there already")
      const listening: Listening = { address, acceptor, ipv6Only, keepAliveMillis: millisOf(options?.keepAlive) }
      host.listen(listening)
      return Exit.succeed(listening)
    })
    return Effect.map(
      Effect.acquireRelease(listening, (listening) => Effect.sync(() => host.stop(listening))),
      (listening): Listener<A> => ({ address: listening.address as A, close: Effect.sync(() => host.stop(listening)) })
    )
  }

  private connect<A extends Address>(from: SimulatedHost, to: A, options: ConnectOptions | undefined): Effect.Effect<Connection<A>, Broken, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const call = yield* this.call(from, to, options)
        // A scope of its own, so that an attempt that failed leaves nothing in the scope around.
        const scope = yield* Scope.fork(yield* Effect.scope)
        yield* Scope.addFinalizerExit(scope, (exit) => Exit.isSuccess(exit) ? call.client.close : call.client.abort)
        yield* Effect.onError(restore(this.dial(call)), (cause) => Scope.close(scope, Exit.failCause(cause)))
        return call.client as Connection<Address> as Connection<A>
      })
    )
  }

  private call(from: SimulatedHost, to: Address, options: ConnectOptions | undefined): Effect.Effect<Call, Broken> {
    return Effect.suspend(() => {
      const asked = options?.localAddress
      if (asked !== undefined && !from.has(asked)) return failure(kindOf(to), "EADDRNOTAVAIL", `the host has no address ${asked}`)
      const target = this.targetOf(from, to)
      const local = clientAddress(from, to, asked)
      const there = new SimulatedWire(this.route(from, target))
      const back = new SimulatedWire(this.route(target, from))
      const { windowBytes } = this.rules
      const client = new SimulatedEnd(from, to, local, there, windowBytes)
      const server = new SimulatedEnd(target, local, to, back, windowBytes)
      there.connect(client, server, back)
      back.connect(server, client, there)
      client.other = server
      server.other = client
      return Exit.succeed({ to, client, server, keepAliveMillis: millisOf(options?.keepAlive) })
    })
  }

  /**
   * The handshake of TCP: a question, an answer, and an acknowledgement, by which
   * the other side has a connection.
   */
  private dial(call: Call): Effect.Effect<void, Broken> {
    return Effect.callback((resume) => {
      const what = kindOf(call.to)
      const wait = new Wait("connecting to", { label: what }, undefined, resume as (effect: AnyEffect) => void)
      const over = (exit: Exit.Exit<void, Broken>): void => {
        this.timers.clear(limit)
        wait.wake(exit)
      }
      const limit = this.setTimer(
        this.timers.now() + this.rules.connectMillis,
        () => over(failure(what, "ETIMEDOUT", "nobody has answered"))
      )
      this.ask(call, over)
      return Effect.sync(() => {
        this.timers.clear(limit)
        wait.leaveNow()
      })
    })
  }

  private ask(call: Call, over: (exit: Exit.Exit<void, Broken>) => void): void {
    const { client, keepAliveMillis, server, to } = call
    client.wire.call(() => {
      const listening = server.host.listenerAt(to)
      if (listening === undefined) {
        const code = to._tag === "Unix" ? "ENOENT" : "ECONNREFUSED"
        return server.wire.call(() => over(failure(kindOf(to), code, "nobody listens there")), 0)
      }
      server.wire.call(() => {
        // It has given up meanwhile; the other side hears nothing of it.
        if (client.isClosed) return
        client.wire.call(() => this.accept(listening, call), 0)
        client.keepAlive(keepAliveMillis)
        over(Exit.void)
      }, 0)
    }, 0)
  }

  private accept(listening: Listening, pair: Pair): void {
    const { client, server } = pair
    const { host } = server
    if (host.listenerAt(listening.address) !== listening) return server.abortUnsafe(undefined)
    if (host.failing !== undefined && host.failing.count > 0) {
      host.failing.count--
      server.abortUnsafe(undefined)
      const cause = systemError(host.failing.code, "the connection could not be accepted")
      return listening.acceptor.failed(new Broken({ what: `listener ${kindOf(listening.address)}`, cause }))
    }
    this.pairs.add(pair)
    const forget = () => {
      if (client.isClosed && server.isClosed) this.pairs.delete(pair)
    }
    client.whenShut = server.whenShut = forget
    server.keepAlive(listening.keepAliveMillis)
    listening.acceptor.connected(server)
  }
}

/** Somebody has this end and has not closed it. */
export const isAlive = (end: SimulatedEnd): boolean => !end.isClosed && end.host.isUp(end.epoch)
