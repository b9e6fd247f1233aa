/**
 * A network in memory, in virtual time: hosts, and links between them that delay,
 * lose, cut and reset what goes over them. It is another value of the reference
 * that `Tcp`, `Tls` and `Unix` take their transport from, so the same servers and
 * clients run on it unchanged, on the clock that jumps and under exploration.
 *
 * The ideas are those of tokio's turmoil.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { countOf } from "../core/internal/Count.ts"
import { type Address, Network } from "../net/Network.ts"
import type { LinkRules } from "./internal/SimulatedRoute.ts"
import { isAlive, Simulation, type SimulationRules } from "./internal/Simulation.ts"

/**
 * What a link does to what goes over it, in both directions.
 *
 * @since 0.1.0
 */
export interface LinkOptions {
  /** How long bytes take from one end to the other. Default: 1 millisecond. */
  readonly delay?: Duration.Input
  /** So much more, at random, for each send. What is sent later does not arrive earlier. Default: none. */
  readonly jitter?: Duration.Input
  /** How many bytes go over it in a second. Default: any number. */
  readonly bytesPerSecond?: number
  /**
   * How likely each send is lost, from 0 to 1. As over TCP, it is sent again: it
   * comes 200 milliseconds later, or 600 if that is lost too, and all behind it wait. Default: 0.
   */
  readonly lossChance?: number
  /** How likely, at each send, the connection is reset. Default: 0. */
  readonly resetChance?: number
  /** What is sent arrives in pieces of at most so many bytes, of random size. Default: as it was sent. */
  readonly maxChunkBytes?: number
}

/**
 * How a network behaves.
 *
 * @since 0.1.0
 */
export interface Options extends LinkOptions {
  /** What all chances come from. Default: drawn from Effect's `Random`, which is the same in each replay of an exploration. */
  readonly seed?: number
  /** The addresses of hosts. A host that is not named here has one, such as `10.0.0.1`, as soon as it is mentioned. */
  readonly hosts?: Readonly<Record<string, ReadonlyArray<string>>>
  /** So many bytes of one direction of a connection may be on their way or unread; above that `send` waits. Default: 65,536. */
  readonly windowBytes?: number
  /** How long the system tries to connect to somebody who does not answer. Default: 2 minutes. */
  readonly connectTimeout?: Duration.Input
  /** How long the system goes on sending to somebody who does not answer, until the connection is broken. Default: 15 minutes. */
  readonly giveUpAfter?: Duration.Input
}

/**
 * A connection that somebody has not closed yet.
 *
 * @since 0.1.0
 */
export interface OpenConnection {
  /** The name of the host that connected. */
  readonly from: string
  /** The name of the host that was connected to. */
  readonly to: string
  /** Where. */
  readonly address: Address
  /** Which ends are not closed. */
  readonly open: "client" | "server" | "both"
}

/**
 * A network.
 *
 * @since 0.1.0
 */
export interface SimulatedNetwork {
  /** What all chances come from: `make` with this seed gives the same network again. */
  readonly seed: number
  /** Runs an effect on a host: what it connects and listens with is that host's. */
  on(host: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  on<A, E, R>(host: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  /** The transport that a host has, for `Network` of `effect-nursery/net/Network`. */
  networkOf(host: string): Network
  /** Changes the link between two hosts; what is on its way is not concerned. */
  link(host: string, other: string, options: LinkOptions): Effect.Effect<void>
  /**
   * Cuts the link between two hosts, or between one and all others. Nothing gets
   * through, and nobody is told; what is sent is sent again after `heal`. With
   * `oneWay`, only what `host` sends does not get through.
   */
  partition(host: string, other?: string, options?: { readonly oneWay?: boolean }): Effect.Effect<void>
  /** Ends a partition. */
  heal(host: string, other?: string): Effect.Effect<void>
  /** Breaks each connection between two hosts, or of one host, at both ends at once. */
  reset(host: string, other?: string): Effect.Effect<void>
  /**
   * A host loses its power: nothing that its programs do is heard of any more, not
   * even an end, and nobody listens there. Its tasks are yours to cancel.
   */
  crash(host: string): Effect.Effect<void>
  /** A host has power again. It knows nothing of its connections, and says so to whoever sends to it over one. */
  restart(host: string): Effect.Effect<void>
  /** Whoever connects to this address from now on hears nothing, as if nobody had it. */
  blackHole(address: string): Effect.Effect<void>
  /** The next so many connections to a host cannot be accepted, with this error. Default: `EMFILE`. */
  failAccepts(host: string, count: number, code?: string): Effect.Effect<void>
  /** The connections of which an end is not closed, of hosts that have power. */
  readonly connections: ReadonlyArray<OpenConnection>
  /** Where somebody listens. */
  readonly listeners: ReadonlyArray<{ readonly host: string; readonly address: Address }>
}

const chance = (name: string, value: number): number => {
  if (value >= 0 && value <= 1) return value
  throw new RangeError(`Expected \`${name}\` to be a number from 0 to 1, got \`${String(value)}\` (${typeof value})`)
}

const millis = (name: string, input: Duration.Input): number => {
  if (typeof input === "number" && !(input >= 0)) {
    throw new RangeError(`Expected \`${name}\` to be a duration, got \`${String(input)}\` (number)`)
  }
  return Duration.toMillis(input)
}

const atLeastOne = (name: string, value: number): number => {
  if (countOf(name, value) > 0) return value
  throw new RangeError(`Expected \`${name}\` to be at least 1, got 0`)
}

const calm: LinkRules = {
  delayMillis: 1,
  jitterMillis: 0,
  bytesPerMilli: Infinity,
  lossChance: 0,
  resetChance: 0,
  maxChunkBytes: Infinity
}

const linkRules = (base: LinkRules, options: LinkOptions): LinkRules => ({
  delayMillis: options.delay === undefined ? base.delayMillis : millis("delay", options.delay),
  jitterMillis: options.jitter === undefined ? base.jitterMillis : millis("jitter", options.jitter),
  bytesPerMilli: options.bytesPerSecond === undefined ? base.bytesPerMilli : atLeastOne("bytesPerSecond", options.bytesPerSecond) / 1000,
  lossChance: options.lossChance === undefined ? base.lossChance : chance("lossChance", options.lossChance),
  resetChance: options.resetChance === undefined ? base.resetChance : chance("resetChance", options.resetChance),
  maxChunkBytes: options.maxChunkBytes === undefined ? base.maxChunkBytes : atLeastOne("maxChunkBytes", options.maxChunkBytes)
})

const rulesOf = (options: Options, seed: number): SimulationRules => ({
  link: linkRules(calm, options),
  seed,
  windowBytes: atLeastOne("windowBytes", options.windowBytes ?? 65_536),
  connectMillis: millis("connectTimeout", options.connectTimeout ?? "2 minutes"),
  giveUpMillis: millis("giveUpAfter", options.giveUpAfter ?? "15 minutes")
})

class Handle implements SimulatedNetwork {
  readonly seed: number
  private readonly simulation: Simulation

  constructor(simulation: Simulation, seed: number) {
    this.simulation = simulation
    this.seed = seed
  }

  on(host: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  on<A, E, R>(host: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  on<A, E, R>(host: string, self?: Effect.Effect<A, E, R>): unknown {
    const on = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Network, this.networkOf(host))
    return self === undefined ? on : on(self)
  }

  networkOf(host: string): Network {
    return this.simulation.networkOf(host)
  }

  link(host: string, other: string, options: LinkOptions): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const routes of this.simulation.routesOf(host, other)) {
        for (const route of routes) route.rules = linkRules(route.rules, options)
      }
    })
  }

  partition(host: string, other?: string, options?: { readonly oneWay?: boolean }): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const [there, back] of this.simulation.routesOf(host, other)) {
        there.cut()
        if (options?.oneWay !== true) back.cut()
      }
    })
  }

  heal(host: string, other?: string): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const routes of this.simulation.routesOf(host, other)) {
        for (const route of routes) route.heal()
      }
    })
  }

  reset(host: string, other?: string): Effect.Effect<void> {
    return Effect.sync(() => this.simulation.resetBetween(host, other))
  }

  crash(host: string): Effect.Effect<void> {
    return Effect.sync(() => this.simulation.crash(host))
  }

  restart(host: string): Effect.Effect<void> {
    return Effect.sync(() => this.simulation.restart(host))
  }

  blackHole(address: string): Effect.Effect<void> {
    return Effect.sync(() => void this.simulation.blackHoles.add(address))
  }

  failAccepts(host: string, count: number, code = "EMFILE"): Effect.Effect<void> {
    return Effect.sync(() => void (this.simulation.host(host).failing = { count: countOf("count", count), code }))
  }

  get connections(): ReadonlyArray<OpenConnection> {
    return this.simulation.openPairs.map(({ client, server }): OpenConnection => ({
      from: client.host.name,
      to: server.host.name,
      address: client.peer,
      open: isAlive(client) ? isAlive(server) ? "both" : "client" : "server"
    }))
  }

  get listeners(): ReadonlyArray<{ readonly host: string; readonly address: Address }> {
    return this.simulation.listening
  }

  toString(): string {
    return `SimulatedNetwork(seed ${this.seed}, ${this.connections.length} connections)`
  }

  toJSON(): unknown {
    const { connections, listeners, seed } = this
    return { _id: "SimulatedNetwork", seed, connections, listeners }
  }
}

const largestSeed = 2 ** 31

/**
 * Makes a network. Its time is that of the clock it is made under.
 *
 * **Details**
 *
 * Hosts have names and addresses, which `lookup` knows; each has `localhost`
 * besides. A host that nobody listens on refuses; an address that nobody has does
 * not answer at all. The same port of `127.0.0.1` is another one on each host.
 *
 * All that happens on the way is decided by `seed` and by the order in which
 * programs send. TLS is a handshake without cryptography: it tells names and
 * protocols, and verifies no certificate.
 *
 * **Example** (An echo over a slow link)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Nursery, Timeout } from "effect-nursery"
 * import { Tcp } from "effect-nursery/net"
 * import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
 *
 * const echo = Tcp.serve((stream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes)), { host: "0.0.0.0", port: 7 })
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const network = yield* SimulatedNetwork.make({ delay: "150 millis" })
 *     yield* n.start((started) => network.on("server", echo(started)), { service: true })
 *
 *     const client = Effect.gen(function*() {
 *       const stream = yield* Tcp.connect({ host: "server", port: 7 })
 *       console.log("connected after", yield* Timeout.now)
 *       yield* stream.send("hello")
 *       yield* stream.receive
 *       console.log("answered after", yield* Timeout.now)
 *     })
 *     yield* network.on("laptop", Effect.scoped(client))
 *   })
 * )
 *
 * await VirtualClock.run(program)
 * ```
 *
 * ```text output
 * connected after 300
 * answered after 600
 * ```
 *
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<SimulatedNetwork> =>
  Effect.flatMap(options.seed === undefined ? Random.nextIntBetween(0, largestSeed) : Effect.succeed(options.seed), (seed) =>
    Effect.withFiber((fiber) => {
      const simulation = new Simulation(rulesOf(options, countOf("seed", seed)), fiber)
      for (const [name, addresses] of Object.entries(options.hosts ?? {})) simulation.declare(name, addresses)
      return Effect.succeed<SimulatedNetwork>(new Handle(simulation, seed))
    }))
