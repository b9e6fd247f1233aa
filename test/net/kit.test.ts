/** Every stream of this library keeps the rules of StreamKit, over every transport. */
import * as os from "node:os"
import { Effect, type Scope } from "effect"
import type { ByteStream } from "effect-nursery/net/ByteStream"
import { Network } from "effect-nursery/net/Network"
import { SimulatedNetwork, StreamKit, VirtualClock } from "effect-nursery/testing"
import { describe, it } from "vitest"
import { connectedPair } from "./pairs.ts"
import { localhost, pairs } from "./sockets.ts"

type MakePair = Effect.Effect<readonly [ByteStream, ByteStream], unknown, Scope.Scope>

const hasIpv6 = Object.values(os.networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"))

// Side by side: most of their time is waiting.
describe.concurrent("StreamKit.checkHalfCloseable passes, over real sockets,", () => {
  const makers: ReadonlyArray<readonly [kind: string, makePair: MakePair, skip?: boolean]> = [
    ...pairs,
    ["tcp over IPv6", connectedPair({ _tag: "Tcp", host: "::1", port: 0 }), !hasIpv6]
  ]
  for (const [kind, makePair, skip] of makers) {
    it.skipIf(skip === true)(kind, () => Effect.runPromise(StreamKit.checkHalfCloseable(makePair)), 120_000)
  }
})

describe("StreamKit.checkHalfCloseable passes, over a simulated network,", () => {
  const on = (makePair: MakePair): MakePair =>
    Effect.flatMap(SimulatedNetwork.make({ jitter: "3 millis", seed: 1 }), (network) => network.on("here", makePair))
  const tcp = connectedPair({ _tag: "Tcp", host: "127.0.0.1", port: 0 })
  const tls = Effect.gen(function*() {
    const network = yield* Network
    const [client, server] = yield* tcp
    return yield* Effect.all([
      network.secure(client, { _tag: "Client", serverName: "localhost" }),
      network.secure(server, { _tag: "Server", identity: localhost })
    ], { concurrency: 2 })
  })
  const makers: ReadonlyArray<readonly [kind: string, makePair: MakePair]> = [
    ["tcp", tcp],
    ["tls", tls],
    ["unix", connectedPair({ _tag: "Unix", path: "/run/kit.sock" })]
  ]
  for (const [kind, makePair] of makers) {
    it(kind, () => VirtualClock.run(StreamKit.checkHalfCloseable(on(makePair))))
  }
})
