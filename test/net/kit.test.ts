/** Every stream of this library keeps the rules of StreamKit, over every transport. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import type { ByteStream } from "effect-nursery/net/ByteStream"
import { StreamKit } from "effect-nursery/testing"
import { describe, it } from "vitest"
import { connectedPair } from "./pairs.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "kit-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const hasIpv6 = Object.values(os.networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"))

describe("StreamKit.checkHalfCloseable passes", () => {
  const makers: ReadonlyArray<readonly [string, Effect.Effect<readonly [ByteStream, ByteStream], unknown, Scope.Scope>, skip?: boolean]> = [
    ["TCP over IPv4", connectedPair({ _tag: "Tcp", host: "127.0.0.1", port: 0 })],
    ["TCP over IPv6", connectedPair({ _tag: "Tcp", host: "::1", port: 0 }), !hasIpv6],
    ["a Unix socket", Effect.flatMap(folder, (folder) => connectedPair({ _tag: "Unix", path: path.join(folder, "kit.sock") })), process.platform === "win32"]
  ]
  for (const [name, makePair, skip] of makers) {
    it.skipIf(skip === true)(name, () => Effect.runPromise(StreamKit.checkHalfCloseable(makePair)), 120_000)
  }
})
