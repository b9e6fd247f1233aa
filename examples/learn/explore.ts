/**
 * An exploration finds a race, and shows the shortest order of events in which it happens.
 *
 *     npm run example -- examples/learn/explore.ts
 *
 * There is one seat left, and two people who want it. Started as usual, this program sells it once, every time.
 * `Explore` runs it under other orders: which task is next, and where one pauses between two of its operations.
 *
 * Try next: put `runs: "all"` into the first exploration; give the seat a `CapacityLimiter` of 1 instead of one step.
 */
import { Effect } from "effect"
import { Nursery } from "effect-nursery"
import { Explore } from "effect-nursery/testing"

/** Sells the last seat. `buy` is how; it is given the box office, which each run makes anew. */
const theatre = (buy: (office: Office, name: string) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const office: Office = { seats: 1, sold: [] }
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(buy(office, "Ada"), { name: "Ada" })
        yield* n.startSoon(buy(office, "Grace"), { name: "Grace" })
      }), { name: "theatre" })
    return office.sold
  })

interface Office {
  seats: number
  readonly sold: Array<string>
}

/** Looks in one step, and takes in the next. Between the two somebody else may look. */
const lookThenTake = (office: Office, name: string) =>
  Effect.gen(function*() {
    const isFree = yield* Effect.sync(() => office.seats > 0)
    if (isFree) yield* Effect.sync(() => void (office.seats--, office.sold.push(name)))
  })

/** Looks and takes in one step: nothing can come between. */
const takeIfFree = (office: Office, name: string) =>
  Effect.sync(() => {
    if (office.seats > 0) void (office.seats--, office.sold.push(name))
  })

console.log("as usual:", (await Effect.runPromise(theatre(lookThenTake))).join(" and "), "got the seat")
console.log()

const once = (sold: ReadonlyArray<string>) => sold.length === 1
console.log(Explore.toText(Explore.run(theatre(lookThenTake), { runs: 1000, holds: once })))
console.log()

console.log("mended:", Explore.toText(Explore.run(theatre(takeIfFree), { runs: "all", holds: once })))
