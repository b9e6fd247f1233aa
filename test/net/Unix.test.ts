/** Unix sockets: their addresses and their files. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, Option } from "effect"
import type { Errors } from "effect-nursery"
import { type Acceptor, type Connection, Network, type UnixAddress } from "effect-nursery/net/Network"
import * as Unix from "effect-nursery/net/Unix"
import { assert, describe, it } from "vitest"
import { run, temporaryFolder, text, until } from "./sockets.ts"

const at = (path: string): UnixAddress => ({ _tag: "Unix", path })
const nobody: Acceptor = { connected: (connection) => void Effect.runFork(connection.abort), failed: () => {} }
const codeOf = (error: Errors.Broken): unknown => (error.cause as { readonly code: string }).code

const pathIn = (name: string) => Effect.map(temporaryFolder, (folder) => path.join(folder, name))

describe("Unix.connect", () => {
  it("connects to a listener, whose path is the only name there is", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const file = yield* pathIn("app.sock")
      const accepted: Array<Connection<UnixAddress>> = []
      const { address } = yield* network.listen(at(file), { connected: (connection) => void accepted.push(connection), failed: () => {} })
      assert.deepStrictEqual(address, at(file))
      const stream = yield* Unix.connect({ path: file })
      assert.deepStrictEqual(stream.peer, at(file))
      assert.deepStrictEqual(stream.local, at(""))
      yield* until(() => accepted.length === 1)
      assert.deepStrictEqual(accepted[0]!.peer, at(""))
      assert.deepStrictEqual(accepted[0]!.local, at(file))
      yield* stream.send("hello")
      assert.strictEqual(text(Option.getOrThrow(yield* accepted[0]!.receive)), "hello")
      yield* accepted[0]!.abort
      assert.strictEqual((yield* Effect.flip(accepted[0]!.receive)).message.split(" was")[0], `unix ${file}`)
    })))

  it("fails when there is no such file, and when nobody listens there", () =>
    run(Effect.gen(function*() {
      const file = yield* pathIn("nobody.sock")
      const error = yield* Effect.flip(Unix.connect({ path: file }))
      assert.strictEqual(error.message, `unix ${file} is broken: connect ENOENT ${file}`)
      fs.writeFileSync(file, "not a socket")
      assert.include(["ECONNREFUSED", "ENOTSOCK"], codeOf(yield* Effect.flip(Unix.connect({ path: file }))) as string)
    })))

  it("fails when the path is longer than the system allows", () =>
    run(Effect.gen(function*() {
      const error = yield* Effect.flip(Unix.connect({ path: `/tmp/${"x".repeat(200)}` }))
      assert.strictEqual(error._tag, "Broken")
      const network = yield* Network
      assert.strictEqual((yield* Effect.flip(network.listen(at(`/tmp/${"x".repeat(200)}`), nobody)))._tag, "Broken")
    })))
})

describe("a listener of a Unix socket", () => {
  it("removes its file when it is closed", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const file = yield* pathIn("app.sock")
      const listener = yield* network.listen(at(file), nobody)
      assert.isTrue(fs.lstatSync(file).isSocket())
      yield* listener.close
      assert.isFalse(fs.existsSync(file))
      yield* network.listen(at(file), nobody)
    })))

  it("takes the place of one whose process has died without removing it", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const file = yield* pathIn("app.sock")
      const program = `require("node:net").createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, "SIGKILL"))`
      spawnSync(process.execPath, ["-e", program], { timeout: 20_000 })
      assert.isTrue(fs.lstatSync(file).isSocket(), "the dead process has left its file")
      yield* network.listen(at(file), nobody)
      yield* Unix.connect({ path: file })
    })))

  it("leaves one alone that somebody listens at", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const file = yield* pathIn("app.sock")
      yield* network.listen(at(file), nobody)
      const error = yield* Effect.flip(network.listen(at(file), nobody))
      assert.strictEqual(codeOf(error), "EADDRINUSE")
      assert.include(error.message, `listener unix ${file} is broken: `)
      yield* Unix.connect({ path: file })
    })))

  it("leaves a file alone that is no socket", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const file = yield* pathIn("notes.txt")
      fs.writeFileSync(file, "dear diary")
      assert.strictEqual(codeOf(yield* Effect.flip(network.listen(at(file), nobody))), "EADDRINUSE")
      assert.strictEqual(fs.readFileSync(file, "utf8"), "dear diary")
    })))
})
