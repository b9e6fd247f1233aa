/**
 * Small programs under thousands of random schedules (schedules.ts): fibers pause before any operation,
 * ready ones run in any order, and deadlines, sleeps and cancels come at the same time. C08, C18, C19.
 */
import { Cause, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { Broadcast, CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, TaskTree, Timeout, Watch } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { type Outcome, type Pauses, Random, runSeeded } from "./schedules.ts"

const anywhere: ReadonlyArray<Pauses> = [{ coin: 0.05 }, { coin: 0.2 }, { coin: 0.5 }]
/** A result is in the hands of its fiber before that pauses. */
const afterSome: ReadonlyArray<Pauses> = [{ ops: 8 }, { ops: 11 }, { ops: 17 }, { ops: 40 }, { ops: 2048 }]

/** What a program found wrong. */
type Wrong = Array<string>

interface Options {
  readonly pauses?: ReadonlyArray<Pauses>
  readonly mayFail?: boolean
}

/** Runs the program for many seeds. It is made anew for each, and notes in `wrong` what must not be. */
const holds = (
  seeds: number,
  make: (random: Random, wrong: Wrong) => Effect.Effect<unknown, unknown>,
  { mayFail = false, pauses = [...anywhere, ...afterSome] }: Options = {}
): void => {
  const found: Array<string> = []
  const from = Number(process.env["SEED"] ?? 0)
  if (process.env["N"] !== undefined) seeds = Number(process.env["N"])
  for (let seed = from; seed < from + seeds; seed++) {
    const wrong: Wrong = []
    const pause = pauses[seed % pauses.length]!
    const outcome: Outcome<unknown, unknown> = runSeeded(make(new Random(seed + 1_000_003), wrong), seed, pause)
    if (outcome._tag !== "ended") wrong.push(seeds === 1 ? `${outcome._tag}\n${TaskTree.toText(TaskTree.nowUnsafe())}` : outcome._tag)
    if (outcome.exit !== undefined && Exit.isFailure(outcome.exit) && !mayFail) wrong.push(Cause.pretty(outcome.exit.cause))
    if (outcome.timersLeft > 0) wrong.push(`${outcome.timersLeft} timers left`)
    for (const error of outcome.thrown) wrong.push(`thrown: ${String(error)}`)
    if (wrong.length > 0) found.push(`seed ${seed} ${JSON.stringify(pause)}: ${wrong.join("; ")}`)
  }
  assert.deepStrictEqual(found.slice(0, Number(process.env["SHOW"] ?? 3)), [], `${found.length} of ${seeds} seeds`)
}

const pause = (random: Random): Effect.Effect<void> =>
  random.coin(0.3) ? Effect.void : random.coin(0.3) ? Effect.yieldNow : Effect.sleep(random.below(4))

const times = <A>(n: number, f: (i: number) => A): Array<A> => Array.from({ length: n }, (_, i) => f(i))

/** A pause for each place where the schedule shall have a chance, drawn when the program is made. */
const pausesOf = (random: Random, n: number): Array<Effect.Effect<void>> => times(n, () => pause(random))

const textOf = (exit: Exit.Exit<unknown, unknown>): Array<string> =>
  exit._tag === "Success" ? [] : exit.cause.reasons.flatMap((reason) =>
    reason._tag === "Fail" ? [String(reason.error)] : reason._tag === "Die" ? [String(reason.defect)] : [])

/** Trees of blocks whose leaves fail, cancel and clean up. */
class Trees {
  readonly random: Random
  readonly wrong: Wrong
  readonly living = new Set<string>()
  readonly held = new Map<string, number>()
  /** Errors of finalizers. */
  readonly raised: Array<string> = []
  readonly handles: Array<Nursery.Task<unknown, unknown>> = []
  private readonly scopes: Array<CancelScope.CancelScope> = []
  private readonly nurseries: Array<Nursery.Nursery> = []

  constructor(random: Random, wrong: Wrong) {
    this.random = random
    this.wrong = wrong
  }

  private over(id: string): void {
    for (const other of this.living) if (other.startsWith(`${id}.`)) this.wrong.push(`${other} outlived ${id}`)
  }

  /** Of a block: nothing below it lives when it is over, and it was over once. */
  private block(id: string, effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return Effect.onExit(effect, () => Effect.sync(() => this.over(id)))
  }

  private leaf(id: string): Effect.Effect<unknown, unknown> {
    const { random } = this
    const wait = random.one([Effect.void, Effect.yieldNow, Effect.sleep(1), Effect.sleep(2), Effect.never, Effect.sleep(3)])
    const which = random.below(4)
    const end: Effect.Effect<unknown, unknown> = random.one([
      Effect.void,
      Effect.void,
      Effect.fail(`${id} failed`),
      Effect.die(`${id} died`),
      Effect.interrupt,
      Effect.suspend(() => this.scopes[which]?.cancel(`by ${id}`) ?? Effect.void),
      Effect.suspend(() => this.nurseries[which]?.cancelTasks(`by ${id}`) ?? Effect.void),
      Effect.suspend(() => this.handles[which]?.cancel(`by ${id}`) ?? Effect.void)
    ])
    const cleanup = random.below(7)
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.living.add(id)
        this.held.set(id, 0)
      }),
      () => Effect.andThen(wait, end),
      () => {
        this.held.set(id, this.held.get(id)! + 1)
        const rest = Effect.suspend((): Effect.Effect<void, unknown> => {
          this.living.delete(id)
          if (cleanup !== 0) return Effect.void
          this.raised.push(`${id} cleanup`)
          return Effect.fail(`${id} cleanup`)
        })
        return cleanup === 1 ? rest : Effect.andThen(cleanup <= 3 ? Effect.sleep(cleanup) : cleanup === 4 ? CancelScope.shieldFor(Effect.sleep(5), 2) : Effect.void, rest)
      }
    )
  }

  node(id: string, depth: number): Effect.Effect<unknown, unknown> {
    const { random } = this
    const kind = depth === 0 ? 0 : random.below(9)
    const child = (name: string) => this.node(`${id}.${name}`, depth - 1)
    switch (kind) {
      case 0:
      case 1:
        return this.leaf(id)
      case 2: {
        const deadline = random.coin() ? random.below(5) : Infinity
        const inner = child("c")
        return this.block(id, CancelScope.open((scope) => {
          this.scopes.push(scope)
          return inner
        }, { name: id, deadline }))
      }
      case 3:
        return this.block(id, CancelScope.shieldFor(child("s"), 4))
      case 4: {
        const children = times(1 + random.below(3), (i) => child(String(i)))
        return this.block(id, random.one([
          () => Tasks.gather(children, { concurrency: 1 + random.below(3) }) as Effect.Effect<unknown, unknown>,
          () => Tasks.firstSuccess(children, { stagger: random.below(2) }),
          () => Tasks.firstCompleted(children),
          () => Tasks.gatherSettled(children),
          () => Stream.runDrain(Tasks.asCompleted(children))
        ])())
      }
      case 5: {
        const inner = child("e")
        return this.block(id, random.one([
          Effect.all([inner, child("f")], { concurrency: "unbounded" }),
          Effect.timeoutOption(inner, 2)
        ]))
      }
      default:
        return this.nursery(id, depth)
    }
  }

  private nursery(id: string, depth: number): Effect.Effect<unknown, unknown> {
    const { random } = this
    const tasks = times(1 + random.below(4), (i) => ({
      how: random.below(4),
      service: random.coin(0.2),
      key: random.coin(0.2) ? "key" : undefined,
      cancel: random.coin(0.2),
      effect: this.node(`${id}.${i}`, depth - 1),
      pause: pause(random)
    }))
    const late = this.node(`${id}.l`, 0)
    const body = this.node(`${id}.b`, 0)
    const options = {
      name: id,
      maxTasks: random.one([1, 2, Infinity, Infinity]),
      onTaskFailure: random.one(["cancel", "continue"] as const)
    }
    const mine: Array<Nursery.Task<unknown, unknown>> = []
    const run = (n: Nursery.Nursery): Effect.Effect<unknown, unknown, any> => {
      this.nurseries.push(n)
      const took = (task: Nursery.Task<unknown, unknown>) => {
        mine.push(task)
        this.handles.push(task)
      }
      const starts = tasks.map((task, i) => {
        const settings = { name: `${id}.${i}`, service: task.service, key: task.key }
        const start: Effect.Effect<unknown, unknown, any> = task.how === 0
          ? n.startNow(task.effect, settings).pipe(Effect.tap((handle) => Effect.sync(() => took(handle))))
          : task.how === 1
          ? n.start((started: (v: number) => Effect.Effect<void>) => Effect.andThen(Effect.andThen(task.pause, started(1)), task.effect), settings)
          : n.startSoon(task.effect, settings).pipe(Effect.tap((handle) => Effect.sync(() => took(handle))))
        const cancelled = task.cancel ? Effect.suspend(() => mine.at(-1)?.cancel() ?? Effect.void) : Effect.void
        return Effect.andThen(Effect.andThen(task.pause, start), cancelled)
      })
      const child = n.startSoon(Effect.flatMap(Effect.yieldNow, () => n.startSoon(late)), { service: true })
      return Effect.andThen(Effect.andThen(child, Effect.all(starts)), body)
    }
    return this.block(id, Nursery.open(run, options) as Effect.Effect<unknown, unknown>)
  }

  end(): void {
    for (const [id, released] of this.held) if (released !== 1) this.wrong.push(`${id} was released ${released} times`)
    if (this.living.size > 0) this.wrong.push(`${[...this.living].join()} live on`)
    for (const task of this.handles) if (Option.isNone(task.poll)) this.wrong.push(`${task.name} has not ended`)
  }
}

describe("Under every schedule", () => {
  it("a tree of blocks ends, no child outlives its block, and what was acquired is released once", () => {
    holds(4000, (random, wrong) => {
      const trees = new Trees(random, wrong)
      const tree = trees.node("0", 3)
      return Effect.gen(function*() {
        yield* Effect.exit(Timeout.moveOnAfter(tree, 60))
        yield* Effect.sleep(200)
        trees.end()
      })
    })
  })

  it("no error of a task that has ended is lost by its nursery", () => {
    holds(3000, (random, wrong) => {
      const plans = times(4, (i) => ({
        wait: pause(random),
        fails: random.coin(0.4),
        cleanup: random.below(4),
        sleeps: random.below(3),
        service: random.coin(0.2),
        name: `t${i}`
      }))
      const cancelAt = random.below(6)
      const how = random.below(3)
      const bodyWaits = pause(random)
      const bodyFails = random.coin(0.3)
      const raised: Array<string> = []
      return Effect.gen(function*() {
        const handles: Array<Nursery.Task<unknown, string>> = []
        let inside: Exit.Exit<unknown, unknown> = Exit.void
        const block = Effect.exit(Nursery.open((n) =>
          Effect.gen(function*() {
            for (const plan of plans) {
              const task = Effect.andThen(plan.wait, plan.fails ? Effect.fail(plan.name) : plan.cleanup === 3 ? Effect.never : Effect.void).pipe(
                Effect.onExit(() => {
                  const then = Effect.suspend(() => {
                    raised.push(`${plan.name} cleanup`)
                    return Effect.fail(`${plan.name} cleanup`)
                  })
                  return plan.cleanup === 0 ? Effect.andThen(Effect.sleep(plan.sleeps), then) : Effect.sleep(plan.sleeps)
                })
              )
              handles.push(yield* n.startNow(task as Effect.Effect<void, string>, { name: plan.name, service: plan.service }))
            }
            yield* bodyWaits
            if (bodyFails) yield* Effect.fail("body")
            if (handles.length > 0) yield* handles[0]!.cancel()
          }))).pipe(Effect.tap((exit) => Effect.sync(() => void (inside = exit))))
        const outer = how === 0
          ? Timeout.moveOnAfter(block, 100)
          : how === 1
          ? Effect.asVoid(block)
          : CancelScope.open((scope) =>
            Nursery.open((n) => Effect.andThen(n.startSoon(Effect.andThen(Effect.sleep(cancelAt), scope.cancel())), block)))
        const whole = yield* Effect.exit(outer as Effect.Effect<unknown, string>)
        if (how === 2) {
          // The block's exit may go on as the failure of what is around it.
          inside = inside._tag === "Failure" ? inside : whole
          const caught = whole._tag === "Success" && inside._tag === "Success" && inside === whole
          if (caught) return
        }
        const seen = textOf(inside)
        for (const handle of handles) {
          const exit = Option.getOrThrow(handle.poll)
          for (const error of textOf(exit)) if (!seen.includes(error)) wrong.push(`${error} of ${handle.name} is not among ${seen.join()}`)
        }
        for (const error of seen) if (seen.indexOf(error) !== seen.lastIndexOf(error)) wrong.push(`${error} came twice`)
      })
    })
  })
})
