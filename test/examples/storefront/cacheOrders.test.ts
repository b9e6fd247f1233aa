/** The cache in every order of events: who reads after a change was made known never sees what was there before it. */
import { Duration, Effect, Schema } from "effect"
import { Nursery } from "effect-nursery"
import { Explore } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { CacheOf } from "../../../examples/storefront/cache/Cache.ts"
import type { CacheStore, Token } from "../../../examples/storefront/cache/CacheStore.ts"
import { MemoryStore } from "../../../examples/storefront/cache/MemoryStore.ts"

const hour = Duration.hours(1)

/** Redis as RedisStore.ts uses it: each operation is one step, and there is a way to it and back. */
class SharedStore implements CacheStore {
  readonly #values = new Map<string, string>()
  readonly #tokens = new Map<string, string>()
  readonly #asksForTokens: boolean

  constructor(asksForTokens = true) {
    this.#asksForTokens = asksForTokens
  }

  readonly read = (key: string, token: Token) =>
    this.#away(() => {
      const value = this.#values.get(key)
      if (value === undefined) this.#tokens.set(key, token.id)
      return value
    })

  readonly fill = (key: string, token: Token, value: string) =>
    this.#away(() => {
      if (this.#asksForTokens && this.#tokens.get(key) !== token.id) return
      this.#tokens.delete(key)
      this.#values.set(key, value)
    })

  readonly remove = (key: string) =>
    this.#away(() => {
      this.#values.delete(key)
      this.#tokens.delete(key)
    })

  #away<A>(step: () => A): Effect.Effect<A> {
    return Effect.yieldNow.pipe(Effect.andThen(Effect.sync(step)), Effect.tap(Effect.yieldNow))
  }
}

/**
 * Some who change a row, and some who read it, through the caches of one or two processes. Gives what was read too late: in a
 * process, after a change of the same process has ended; and at the very end, anything but the last change.
 */
const program = (processes: () => ReadonlyArray<CacheStore>) =>
  Effect.suspend(() => {
    const caches = processes().map((store) => ({ cache: new CacheOf(store, hour), known: 0 }))
    type Process = typeof caches[number]
    let row = 0
    const late: Array<string> = []
    const query = Effect.suspend(() => {
      const seen = row
      return Effect.as(Effect.yieldNow, seen)
    })
    const read = ({ cache }: Process, least: () => number) =>
      Effect.suspend(() => {
        const before = least()
        return Effect.map(cache.getOrMake("row", Schema.Int, query), (seen) => {
          if (seen < before) late.push(`saw ${seen} after ${before} was known`)
        })
      })
    const reader = (process: Process) => Effect.repeat(read(process, () => process.known), { times: 1 })
    const writer = (process: Process) =>
      Effect.suspend(() => {
        const mine = ++row
        // As CachedProducts.ts does: whatever becomes of the change.
        return Effect.onExit(Effect.yieldNow, () => Effect.map(process.cache.remove("row"), () => void (process.known = Math.max(process.known, mine))))
      })
    const all = Nursery.open((n) =>
      Effect.gen(function*() {
        for (const [at, process] of caches.entries()) {
          yield* n.startSoon(reader(process), { name: `reader ${at}` })
          yield* n.startSoon(Effect.andThen(writer(process), read(process, () => process.known)), { name: `writer ${at}` })
          yield* n.startSoon(reader(process), { name: `another reader ${at}` })
        }
      }))
    return all.pipe(
      Effect.andThen(Effect.forEach(caches, (process) => read(process, () => row))),
      Effect.as(late)
    )
  })

const explored = (processes: () => ReadonlyArray<CacheStore>, options: Explore.Options<ReadonlyArray<string>, never> = {}) =>
  Explore.run(program(processes), { runs: 500, holds: (late) => late.length === 0, ...options })

const two = (store: CacheStore) => [store, store]

const passed = (report: Explore.Report<unknown, unknown>) => assert.strictEqual(report._tag, "Passed", report._tag === "Found" ? Explore.toText(report) : "")

describe("the cache, in many orders of events", () => {
  it("gives nobody what was known to be changed: in memory", () => passed(explored(() => [new MemoryStore(10)])))

  it("gives nobody what was known to be changed: two processes and a store that they share", () => passed(explored(() => two(new SharedStore()))))

  it("leaves nobody waiting, and nothing old behind, whoever is cancelled", () => passed(explored(() => two(new SharedStore()), { cancelEverywhere: true })))

  it("would leave something old behind without the tokens", () => {
    assert.strictEqual(explored(() => two(new SharedStore(false)))._tag, "Found")
  })
})
