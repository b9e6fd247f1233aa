import { Duration } from "effect"
import { Errors } from "effect-nursery"
import { assert, describe, it } from "vitest"

const all = [
  new Errors.TooSlow({ scope: "login", after: Duration.seconds(2) }),
  new Errors.Closed({ what: "sender of channel orders" }),
  new Errors.Broken({ what: "channel orders" }),
  new Errors.Busy({ what: "limiter database", holder: "Ada" }),
  new Errors.TooLong({ what: "a line from tcp 127.0.0.1:5000", limit: 1024 }),
  new Errors.EndOfChannel({ what: "channel orders" }),
  new Errors.NurseryClosed({ nursery: "chat", task: "reader" }),
  new Errors.NotStarted({ task: "server" }),
  new Errors.AlreadyStarted({ task: "server" })
]

describe("Errors", () => {
  it("are Errors with a tag, a name and a stack", () => {
    for (const error of all) {
      assert.instanceOf(error, Error)
      assert.strictEqual(error.name, error._tag)
      assert.include(String(error.stack), error._tag)
    }
  })

  it("have a class and a tag of the same name each", () => {
    assert.deepStrictEqual(Object.keys(Errors).toSorted(), all.map((error) => error._tag).toSorted())
  })

  it("say what happened with the names they carry", () => {
    assert.deepStrictEqual(all.map((error) => error.message), [
      "login took longer than 2s",
      "sender of channel orders was closed by its user; open or clone another one before you go on",
      "channel orders is broken: the other side is gone",
      "limiter database is in use by Ada",
      "a line from tcp 127.0.0.1:5000 is longer than the limit of 1024; raise the limit or refuse the peer",
      "channel orders has ended: all its senders are closed",
      "Cannot start reader in chat: the block has ended. Start it before the block's body and tasks end, or use a nursery that lives longer",
      "server ended without calling `started`; call `yield* started(value)` when it is ready, or begin it with `startSoon`",
      "server called `started` a second time; report readiness once"
    ])
  })
})
