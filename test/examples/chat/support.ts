/** A chat server on a simulated network, in virtual time, and people who talk to it in plain lines. */
import { Deferred, Effect, Logger, Metric, type Scope, Stream } from "effect"
import { CancelScope, type Errors, Nursery, Watch } from "effect-nursery"
import { type Server, Tcp } from "effect-nursery/net"
import { Explore, SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
import { assert } from "vitest"
import { chatServer } from "../../../examples/chat/ChatServer.ts"
import type { ChatOptions } from "../../../examples/chat/Options.ts"

/** One connection, and all that came over it. */
export class Person {
  readonly stream: Tcp.TcpStream
  private readonly watch: Watch.Watch<ReadonlyArray<string>>
  private readonly over: Deferred.Deferred<string>

  constructor(stream: Tcp.TcpStream, watch: Watch.Watch<ReadonlyArray<string>>, over: Deferred.Deferred<string>) {
    this.stream = stream
    this.watch = watch
    this.over = over
  }

  get heard(): ReadonlyArray<string> {
    return this.watch.get
  }

  say(...lines: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.orDie(this.stream.send(lines.map((line) => `${line}\n`).join("")))
  }

  send(bytes: string | Uint8Array): Effect.Effect<void> {
    return Effect.orDie(this.stream.send(bytes))
  }

  /** Waits for a line, or for so many of them. */
  hears(line: string | RegExp, times = 1): Effect.Effect<void> {
    const isIt = (heard: string) => typeof line === "string" ? heard === line : line.test(heard)
    return Effect.asVoid(this.watch.waitUntil((lines) => lines.filter(isIt).length >= times))
  }

  /** Waits until something is so; asked again at each line that comes. */
  until(isSo: () => boolean): Effect.Effect<void> {
    return Effect.asVoid(this.watch.waitUntil(() => isSo()))
  }

  /** What the first line that fits has in its first group. */
  find(pattern: RegExp): Effect.Effect<string> {
    return Effect.map(Effect.andThen(this.hears(pattern), Effect.sync(() => this.heard)), (lines) =>
      lines.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined)!)
  }

  /** Waits for the server's end: `end`, or how the connection broke. */
  get ended(): Effect.Effect<string> {
    return Deferred.await(this.over)
  }

  /** Is gone without a word: the connection is reset. */
  get crash(): Effect.Effect<void> {
    return this.stream.abort
  }
}

export interface Party {
  readonly network: SimulatedNetwork.SimulatedNetwork
  /** A bare connection, which nobody reads from. */
  readonly connect: Effect.Effect<Tcp.TcpStream, Errors.Broken, Scope.Scope>
  /** A connection that has said nothing yet. */
  readonly dial: Effect.Effect<Person, Errors.Broken, Scope.Scope>
  /** A user, welcomed. */
  join(name: string, options?: { readonly caps?: string }): Effect.Effect<Person, Errors.Broken, Scope.Scope>
  /** Asks the server to stop, and waits until it has. */
  readonly stop: Effect.Effect<Server.Report, Errors.Broken>
}

export const port = 8000

/** The connection closes with the scope; the task that listens ends with it. */
export const dialFrom = (host: string, network: SimulatedNetwork.SimulatedNetwork, n: Nursery.Nursery, server = "server"): Party["dial"] =>
  Effect.gen(function*() {
    const stream = yield* network.on(host, Tcp.connect({ host: server, port }))
    const watch = yield* Watch.make<ReadonlyArray<string>>([])
    const over = yield* Deferred.make<string>()
    const lines: Array<string> = []
    const listen = Stream.runForEach(stream.lines, (line) => {
      lines.push(line)
      return watch.set(lines)
    }).pipe(
      Effect.as("end"),
      Effect.catch((error) => Effect.succeed(error._tag)),
      Effect.flatMap((how) => Deferred.succeed(over, how))
    )
    yield* n.startSoon(listen, { name: "ears", service: true })
    return new Person(stream, watch, over)
  })

/** Runs a party against a server, stops it, and sees to it that nothing is left. */
export const party = <A, E>(
  options: Partial<ChatOptions>,
  body: (party: Party) => Effect.Effect<A, E, Scope.Scope>,
  networkOptions: SimulatedNetwork.Options = {}
): Effect.Effect<A, E | Errors.Broken> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.0.0.1"], laptop: ["10.0.0.2"] }, ...networkOptions })
      const report = yield* Deferred.make<Server.Report, Errors.Broken>()
      const server = chatServer({ host: "0.0.0.0", port, ...options })
      const scope = yield* n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
        CancelScope.open((scope) =>
          network.on("server", Effect.orDie(server(() => started(scope)))).pipe(Effect.onExit((exit) => Deferred.done(report, exit)))
        ), { name: "serving" })
      const stop = Effect.andThen(scope.stop({ grace: "1 minute" }), Deferred.await(report))
      const dial = dialFrom("laptop", network, n)
      const join: Party["join"] = (name, { caps } = {}) =>
        Effect.gen(function*() {
          const person = yield* dial
          yield* person.say(...caps === undefined ? [] : [`CAPS ${caps}`], `CONNECT ${name}`)
          yield* person.hears(/^Welcome! /u)
          yield* person.hears(new RegExp(`^(SEQ \\S+ )?${name} connected!$`, "u"))
          return person
        })
      const connect = network.on("laptop", Tcp.connect({ host: "server", port }))
      const value = yield* Effect.scoped(body({ network, connect, dial, join, stop }))
      yield* stop
      assert.deepStrictEqual([network.connections, network.listeners], [[], []])
      return value
    }), { name: "test" }).pipe(
    Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>()),
    // Counts of its own.
    (test) => Effect.suspend(() => Effect.provideService(test, Metric.MetricRegistry, new Map()))
  )

/** The same in virtual time. */
export const inVirtualTime = <A, E>(
  options: Partial<ChatOptions>,
  body: (party: Party) => Effect.Effect<A, E, Scope.Scope>,
  networkOptions?: SimulatedNetwork.Options
): Promise<A> => VirtualClock.run(party(options, body, networkOptions))

/** The same in many orders of events; a failure tells its seed. */
export const explored = <A, E>(
  options: Partial<ChatOptions>,
  body: (party: Party) => Effect.Effect<A, E, Scope.Scope>,
  explore: Explore.Options<A, E | Errors.Broken> & { readonly network?: SimulatedNetwork.Options }
): void => {
  const { network, ...rest } = explore
  const report = Explore.run(party(options, body, network), { busyHost: false, ...rest })
  assert.strictEqual(report._tag, "Passed", report._tag === "Found" ? `seed ${report.seed}\n${Explore.toText(report)}` : "")
}
