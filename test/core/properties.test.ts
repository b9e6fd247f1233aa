/**
 * Programs that nobody wrote: trees of nurseries, scopes, shields, gathers and
 * channels, in which tasks fail, die, are cancelled and clean up at times that
 * collide. Whatever the tree, the rules of structured concurrency hold.
 *
 * A tree is decoded from a list of small numbers, so that Effect's Arbitrary can
 * shrink it: with a number less, something of the tree is gone.
 */
import { it } from "@effect/vitest"
import { Arbitrary, Effect, type Exit, Option, Result, Schema } from "effect"
import { CancelScope, MemoryChannel, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe } from "vitest"

type Cleanup = { readonly _tag: "none" | "fail" | "die" } | { readonly _tag: "sleep"; readonly millis: number } | { readonly _tag: "node"; readonly node: Node }

interface Leaf {
  readonly _tag: "leaf"
  readonly wait: "none" | "sleep" | "yield" | "for ever" | "send" | "receive"
  readonly millis: number
  readonly end: "well" | "fail" | "die" | "cancel a scope around" | "cancel the tasks around"
  readonly which: number
  readonly cleanup: Cleanup
}

interface Started {
  readonly how: "startSoon" | "startNow" | "start"
  readonly service: boolean
  /** The body cancels it after that time. */
  readonly cancelAfter: number | undefined
  readonly node: Node
}

type Node =
  | Leaf
  | { readonly _tag: "nursery"; readonly tasks: ReadonlyArray<Started>; readonly body: Node; readonly goOn: boolean; readonly maxTasks: number }
  | { readonly _tag: "scope"; readonly child: Node; readonly deadline: number; readonly cancelAfter: number | undefined }
  | { readonly _tag: "shield"; readonly child: Node; readonly budget: number }
  | { readonly _tag: "gather"; readonly children: ReadonlyArray<Node> }

const times = [0, 5, 5, 10, 10, 15, 20] as const

const decode = (tape: ReadonlyArray<number>): Node => {
  let at = 0
  // Read again and again, with a shift, so that a short list makes a large tree, too.
  const next = (below: number): number => {
    const round = Math.floor(at / tape.length)
    return (tape[at++ % tape.length]! + 5 * round) % below
  }
  let nodes = 0
  const time = () => times[next(times.length)]!
  const cleanup = (depth: number): Cleanup => {
    const kind = next(8)
    if (kind === 1) return { _tag: "fail" }
    if (kind === 2) return { _tag: "die" }
    if (kind <= 4) return { _tag: "sleep", millis: time() }
    if (kind === 5 && depth > 0) return { _tag: "node", node: node(depth - 1) }
    return { _tag: "none" }
  }
  const leaf = (depth: number): Leaf => {
    const wait = (["none", "sleep", "sleep", "yield", "for ever", "send", "receive"] as const)[next(7)]!
    // Mostly well: a failure at the start leaves little to see.
    const end = (["well", "well", "well", "well", "well", "well", "well", "fail", "die", "cancel a scope around", "cancel the tasks around"] as const)[next(11)]!
    const leaf: Leaf = { _tag: "leaf", wait, millis: time(), end, which: next(3), cleanup: cleanup(depth) }
    // Of a failure and a defect in one fiber Effect itself makes two defects.
    const both = `${leaf.end} ${leaf.cleanup._tag}`
    return ["fail die", "die fail", "fail node", "die node"].includes(both) ? { ...leaf, end: "well" } : leaf
  }
  const node = (depth: number): Node => {
    nodes++
    const kind = depth === 0 || nodes > 40 ? 0 : depth >= 4 ? 2 + next(7) : next(9)
    if (kind <= 1) return leaf(depth)
    if (kind <= 5) {
      const tasks = Array.from({ length: 1 + next(3) }, (): Started => ({
        how: (["startSoon", "startNow", "start"] as const)[next(3)]!,
        service: next(5) === 1,
        cancelAfter: next(5) === 1 ? time() : undefined,
        node: node(depth - 1)
      }))
      return { _tag: "nursery", tasks, body: node(depth - 1), goOn: next(4) === 1, maxTasks: next(5) === 1 ? 1 : Infinity }
    }
    if (kind === 6) return { _tag: "scope", deadline: next(2) === 1 ? time() : Infinity, cancelAfter: next(2) === 1 ? time() : undefined, child: node(depth - 1) }
    if (kind === 7) return { _tag: "shield", budget: 30, child: node(depth - 1) }
    return { _tag: "gather", children: Array.from({ length: 1 + next(3) }, () => node(depth - 1)) }
  }
  return node(5)
}

const trees = Arbitrary.map(
  Arbitrary.array(Arbitrary.schema(Schema.Literals(Array.from({ length: 24 }, (_, i) => i))), { minLength: 1, maxLength: 160 }),
  decode
)

const hasCleanupNode = (node: Node): boolean => {
  switch (node._tag) {
    case "leaf":
      return node.cleanup._tag === "node"
    case "nursery":
      return hasCleanupNode(node.body) || node.tasks.some((task) => hasCleanupNode(task.node))
    case "gather":
      return node.children.some(hasCleanupNode)
    default:
      return hasCleanupNode(node.child)
  }
}

interface Around {
  /** The scopes that can cancel it, from the inside out: up to a shield, a finalizer or a service. */
  readonly visible: ReadonlyArray<CancelScope.CancelScope>
  /** All that it can get hold of. */
  readonly scopes: ReadonlyArray<CancelScope.CancelScope>
  readonly nurseries: ReadonlyArray<Nursery.Nursery>
}

/** What one run did. */
class Account {
  readonly trace: Array<string> = []
  readonly raised: Array<string> = []
  readonly broken: Array<string> = []
  readonly living = new Set<string>()
  acquired = 0
  released = 0

  private note(what: string): Effect.Effect<void> {
    return Effect.map(Timeout.now, (at) => void this.trace.push(`${at} ${what}`))
  }

  private raise(tag: "Fail" | "Die", id: string): Effect.Effect<never, string> {
    return Effect.suspend(() => {
      this.raised.push(`${tag} ${id}`)
      return tag === "Fail" ? Effect.fail(id) : Effect.die(id)
    })
  }

  private alive<A, E>(id: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.living.add(id)
      return Effect.onExit(effect, (exit) => {
        this.living.delete(id)
        return this.note(`${id} ${exit._tag}`)
      })
    })
  }

  /** A block is over: nothing below it may live. */
  private over(id: string): void {
    for (const other of this.living) if (other.startsWith(`${id}.`)) this.broken.push(`${other} outlived ${id}`)
  }

  private leaf(leaf: Leaf, id: string, around: Around, channel: Channel): Effect.Effect<void, string> {
    const [sender, receiver] = channel
    const waits: { readonly [K in Leaf["wait"]]: Effect.Effect<unknown> } = {
      none: Effect.void,
      sleep: Effect.sleep(leaf.millis),
      yield: Effect.yieldNow,
      "for ever": Effect.never,
      send: Effect.orDie(sender.send(id)),
      receive: Effect.flatMap(Effect.orDie(receiver.receive), (from) => this.note(`${id} got ${from}`))
    }
    const ends: { readonly [K in Leaf["end"]]: Effect.Effect<void, string> } = {
      well: Effect.void,
      fail: this.raise("Fail", id),
      die: this.raise("Die", id),
      "cancel a scope around": Effect.suspend(() => around.scopes[leaf.which % around.scopes.length]?.cancel(`by ${id}`) ?? Effect.void),
      "cancel the tasks around": Effect.suspend(() => around.nurseries[leaf.which % around.nurseries.length]?.cancelTasks(`by ${id}`) ?? Effect.void)
    }
    const cleanup = leaf.cleanup
    return Effect.acquireUseRelease(
      Effect.sync(() => this.acquired++),
      () => Effect.andThen(waits[leaf.wait], ends[leaf.end]),
      () => {
        this.released++
        switch (cleanup._tag) {
          case "none":
            return this.note(`${id} released`)
          case "sleep":
            return Effect.sleep(cleanup.millis)
          case "node":
            // With a limit: nobody around can end it.
            return Effect.asVoid(Timeout.moveOnAfter(this.run(cleanup.node, `${id}.cleanup`, { ...around, visible: [] }, channel), 30))
          default:
            return this.raise(cleanup._tag === "fail" ? "Fail" : "Die", `${id}.cleanup`)
        }
      }
    )
  }

  run(node: Node, id: string, around: Around, channel: Channel): Effect.Effect<unknown, string> {
    return this.alive(id, Effect.suspend(() => this.effect(node, id, around, channel)))
  }

  private effect(node: Node, id: string, around: Around, channel: Channel): Effect.Effect<unknown, string> {
    switch (node._tag) {
      case "leaf":
        return this.leaf(node, id, around, channel)
      case "gather":
        return Effect.ensuring(
          Tasks.gather(node.children.map((child, i) => this.run(child, `${id}.${i}`, around, channel))),
          Effect.sync(() => this.over(id)))
      case "shield":
        return Effect.ensuring(
          CancelScope.shieldFor(this.run(node.child, `${id}.s`, { ...around, visible: [] }, channel), node.budget),
          Effect.sync(() => this.over(id)))
      case "scope":
        return this.scope(node, id, around, channel)
      case "nursery":
        return Effect.ensuring(
          Nursery.open((n) => this.body(n, node, id, { ...around, nurseries: [n, ...around.nurseries] }, channel), {
            name: id,
            maxTasks: node.maxTasks,
            onTaskFailure: node.goOn ? "continue" : "cancel"
          }),
          Effect.sync(() => this.over(id)))
    }
  }

  private scope(node: Extract<Node, { _tag: "scope" }>, id: string, around: Around, channel: Channel): Effect.Effect<unknown, string> {
    let handle: CancelScope.CancelScope | undefined
    const block = CancelScope.open((scope) => {
      handle = scope
      const child = this.run(node.child, `${id}.c`, {
        ...around,
        visible: [scope, ...around.visible],
        scopes: [scope, ...around.scopes]
      }, channel)
      return node.cancelAfter === undefined ? child : Nursery.open((n) =>
        Effect.andThen(n.startSoon(Effect.andThen(Effect.sleep(node.cancelAfter!), scope.cancel(`by ${id}`)), { service: true }), child))
    }, { name: id, deadline: node.deadline })
    return Effect.flatMap(block, (result) => {
      this.over(id)
      const scope = handle!
      if (Result.isFailure(result)) {
        if (result.failure.scope !== id || Option.isNone(scope.reason)) this.broken.push(`${id} absorbed ${result.failure}`)
        if (!scope.cancelledCaught) this.broken.push(`${id} says it did not catch`)
        for (const outer of around.visible) {
          if (outer.state === "cancelled") this.broken.push(`${id} absorbed although ${outer.name} was cancelled`)
        }
      } else if (scope.cancelledCaught) this.broken.push(`${id} says it caught, and has a value`)
      return this.note(`${id} gave ${Result.isFailure(result) ? `${result.failure.source} ${result.failure.message} at ${result.failure.at}` : "a value"}`)
    })
  }

  private body(n: Nursery.Nursery, node: Extract<Node, { _tag: "nursery" }>, id: string, around: Around, channel: Channel) {
    const self = this
    return Effect.gen(function*() {
      for (const [i, task] of node.tasks.entries()) {
        const child = self.run(task.node, `${id}.${i}`, task.service ? { ...around, visible: [] } : around, channel)
        const options = { name: `${id}.${i}`, service: task.service }
        if (task.how === "start") {
          yield* n.start((started: (value: number) => Effect.Effect<void>) => Effect.andThen(Effect.andThen(Effect.yieldNow, started(i)), child), options)
        } else {
          const handle = yield* n[task.how](child, options)
          // A service, because with one task at a time it would wait for its victim's place.
          if (task.cancelAfter !== undefined) {
            yield* n.startSoon(Effect.andThen(Effect.sleep(task.cancelAfter), handle.cancel("by the body")), { service: true })
          }
        }
      }
      yield* self.run(node.body, `${id}.b`, around, channel)
    })
  }
}

type Channel = readonly [MemoryChannel.Sender<string>, MemoryChannel.Receiver<string>]

const perform = async (tree: Node) => {
  const account = new Account()
  const nothing: Around = { visible: [], scopes: [], nurseries: [] }
  const exit = await VirtualClock.runExit(Effect.gen(function*() {
    const channel = yield* MemoryChannel.make<string>(1)
    // Some of them wait for ever.
    const value = yield* Timeout.moveOnAfter(account.run(tree, "0", nothing, channel), 1000)
    return Option.isSome(value)
  }))
  return { account, exit, left: TaskTree.nowUnsafe() }
}

const reasons = (exit: Exit.Exit<unknown, unknown>): Array<string> =>
  exit._tag === "Success" ? [] : exit.cause.reasons.map((reason) =>
    reason._tag === "Fail" ? `Fail ${String(reason.error)}` : reason._tag === "Die" ? `Die ${String(reason.defect)}` : "Interrupt")

const idOf = (reason: string) => reason.slice(reason.indexOf(" ") + 1)

const options = { timeout: 60_000, arbitrary: { runs: 500, size: 60, seed: "nursery trees" } }

describe("In every tree of nurseries", () => {
  it.effect.prop("no child outlives its block, and nothing is left in the task tree", [trees], ([tree]) =>
    Effect.map(Effect.promise(() => perform(tree)), ({ account, left }) => {
      assert.deepStrictEqual(account.broken.filter((rule) => rule.includes("outlived")), [])
      assert.strictEqual(account.living.size, 0)
      assert.deepStrictEqual(left, [])
    }), options)

  it.effect.prop("as many finalizers run as resources were acquired", [trees], ([tree]) =>
    Effect.map(Effect.promise(() => perform(tree)), ({ account }) => assert.strictEqual(account.released, account.acquired)), options)

  it.effect.prop("no failure is lost, none comes twice, and a typed one stays typed", [trees], ([tree]) =>
    Effect.map(Effect.promise(() => perform(tree)), ({ account, exit }) => {
      // In a finalizer Effect itself combines the failures of a block with the interrupt, and elects defects.
      const shown = hasCleanupNode(tree) ? (all: ReadonlyArray<string>) => all.map(idOf) : (all: ReadonlyArray<string>) => all
      assert.deepStrictEqual(shown(reasons(exit)).toSorted(), shown(account.raised).toSorted() as Array<string>)
    }), options)

  it.effect.prop("only a scope that was cancelled absorbs, only its own cancellation, and an outer one first", [trees], ([tree]) =>
    Effect.map(Effect.promise(() => perform(tree)), ({ account, exit }) => {
      assert.deepStrictEqual(account.broken.filter((rule) => !rule.includes("outlived")), [])
      assert.notInclude(reasons(exit), "Interrupt")
    }), options)

  it("C18: 200 seeded programs leave the same trace when they run a second time", async () => {
    const programs = await Effect.runPromise(Arbitrary.sampleEffect(trees, { count: 200, seed: 18, size: 60 }))
    assert.lengthOf(programs, 200)
    let events = 0
    for (const program of programs) {
      const first = await perform(program)
      const second = await perform(program)
      assert.deepStrictEqual(second.account.trace, first.account.trace)
      assert.deepStrictEqual(reasons(second.exit), reasons(first.exit))
      assert.deepStrictEqual(first.account.broken, [])
      assert.strictEqual(first.account.released, first.account.acquired)
      events += first.account.trace.length
    }
    assert.isAbove(events, 4000, "the programs do something")
  }, 60_000)
})
