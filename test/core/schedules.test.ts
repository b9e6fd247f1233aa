/**
 * Small programs under thousands of random schedules (schedules.ts): fibers pause before any operation,
 * ready ones run in any order, and deadlines, sleeps and cancels come at the same time. C08, C18, C19.
 */
import { Cause, Effect, Exit, Option, Result, Stream } from "effect"
import { Broadcast, CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout, Watch } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { type Outcome, type Pauses, Random, runSeeded } from "./schedules.ts"

// Not 0.5: each pause costs an operation that may pause again, so then a fiber may never come out of it.
const anywhere: ReadonlyArray<Pauses> = [{ coin: 0.05 }, { coin: 0.2 }, { coin: 0.4 }]
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
  for (let seed = 0; seed < seeds; seed++) {
    const wrong: Wrong = []
    const pause = pauses[seed % pauses.length]!
    const outcome: Outcome<unknown, unknown> = runSeeded(make(new Random(seed + 1_000_003), wrong), seed, pause)
    if (outcome._tag !== "ended") wrong.push(outcome._tag)
    if (outcome.exit !== undefined && Exit.isFailure(outcome.exit) && !mayFail) wrong.push(Cause.pretty(outcome.exit.cause))
    if (outcome.timersLeft > 0) wrong.push(`${outcome.timersLeft} timers left`)
    for (const error of outcome.thrown) wrong.push(`thrown: ${String(error)}`)
    if (wrong.length > 0) found.push(`seed ${seed} ${JSON.stringify(pause)}: ${wrong.join("; ")}`)
  }
  assert.deepStrictEqual(found.slice(0, 3), [], `${found.length} of ${seeds} seeds`)
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
        const block = Effect.onExit(Nursery.open((n) =>
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
            yield* handles[0]!.cancel()
          })), (exit) => Effect.sync(() => void (inside = exit)))
        // An inner scope, a task that is cancelled with it, or the whole.
        const whole = yield* Effect.exit(how === 0
          ? CancelScope.open((scope) => Nursery.open((n) => Effect.andThen(n.startSoon(Effect.andThen(Effect.sleep(cancelAt), scope.cancel())), block)))
          : how === 1
          ? Nursery.open((n) => Effect.flatMap(n.startSoon(block), (task) => Effect.andThen(Effect.sleep(cancelAt), task.cancel())))
          : Timeout.moveOnAfter(block, cancelAt))
        // When the block was cancelled from around, its owner cannot look at its exit.
        if (whole._tag === "Failure") inside = whole
        const seen = textOf(inside)
        for (const handle of handles) {
          const exit = Option.getOrThrow(handle.poll)
          for (const error of textOf(exit)) if (!seen.includes(error)) wrong.push(`${error} of ${handle.name} is not among ${seen.join()}`)
        }
        for (const error of seen) if (seen.indexOf(error) !== seen.lastIndexOf(error)) wrong.push(`${error} came twice`)
      })
    }, { pauses: afterSome })
  })

  it("only the cancelled scope absorbs, whoever cancels first, and an outer one before an inner one", () => {
    holds(3000, (random, wrong) => {
      const waits = pausesOf(random, 6)
      const cleanup = pausesOf(random, 3)
      const targets = times(3, () => random.below(3))
      const shielded = random.coin(0.2)
      const deadline = random.coin(0.3) ? random.below(4) : Infinity
      return Effect.gen(function*() {
        const scopes: Array<CancelScope.CancelScope> = []
        const level = (i: number, inside: Effect.Effect<void>): Effect.Effect<void> =>
          CancelScope.open((scope) => {
            scopes[i] = scope
            return Effect.onExit(inside, () => cleanup[i]!)
          }, { name: String(i), deadline: i === 1 ? deadline : Infinity }).pipe(Effect.map((result) => {
            const scope = scopes[i]!
            if (Result.isSuccess(result)) {
              if (scope.cancelledCaught) wrong.push(`${i} says it caught, and has a value`)
              return
            }
            if (result.failure.scope !== scope.name) wrong.push(`${i} absorbed what was for ${result.failure.scope}`)
            if (!scope.cancelledCaught || Option.isNone(scope.reason)) wrong.push(`${i} absorbed and does not know it`)
            if (shielded && i === 2) return
            for (const outer of scopes.slice(0, i)) if (outer.state === "cancelled") wrong.push(`${i} absorbed inside ${outer.name}`)
          }))
        const innermost = level(2, Effect.andThen(Effect.andThen(waits[0]!, waits[1]!), Effect.sleep(random.below(6))))
        const nested = level(0, level(1, shielded ? CancelScope.shield(innermost) : innermost))
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startSoon(nested)
            for (const [i, target] of targets.entries()) {
              yield* n.startSoon(Effect.andThen(waits[2 + i]!, Effect.suspend(() => scopes[target]?.cancel() ?? Effect.void)))
            }
          }))
        for (const scope of scopes) if (scope?.state !== "ended") wrong.push(`${scope?.name} is ${scope?.state}`)
      })
    }, { pauses: afterSome })
  })

  it("C08: a time limit and the end of its body at the same instant give one of the two, and release once", () => {
    holds(3000, (random, wrong) => {
      const at = random.below(4)
      const early = pause(random)
      const end = random.below(4)
      const cleanup = pause(random)
      const nested = random.coin()
      return Effect.gen(function*() {
        let acquired = 0
        let released = 0
        const body = Effect.acquireUseRelease(
          Effect.sync(() => acquired++),
          () => Effect.andThen(early, Effect.andThen(Effect.sleep(end), Effect.sync(() => 42))),
          () => Effect.andThen(cleanup, Effect.sync(() => released++))
        )
        const limited = Timeout.moveOnAfter(body, at)
        const value = yield* nested ? Effect.map(Timeout.moveOnAfter(limited, at), Option.flatten) : limited
        if (Option.isSome(value) && value.value !== 42) wrong.push(`value ${value.value}`)
        if (Option.isSome(value) && acquired !== 1) wrong.push("a value from nowhere")
        if (acquired !== released || acquired > 1) wrong.push(`acquired ${acquired}, released ${released}`)
      })
    })
  })

  it("join, await, cancel and awaitIdle come back, and maxTasks is never exceeded", () => {
    holds(3000, (random, wrong) => {
      const most = 1 + random.below(3)
      const work = pausesOf(random, 8)
      const cleanup = pausesOf(random, 8)
      const before = pausesOf(random, 8)
      const uses = times(6, () => random.below(5))
      const serviceAt = random.below(6)
      return Effect.gen(function*() {
        let running = 0
        let over = false
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const handles: Array<Nursery.Task<number, never>> = []
            const job = (i: number) =>
              Effect.acquireUseRelease(
                Effect.sync(() => {
                  if (i !== serviceAt && ++running > most) wrong.push(`${running} tasks at a time, not ${most}`)
                }),
                () => Effect.as(work[i]!, i),
                () => Effect.andThen(cleanup[i]!, Effect.sync(() => void (i !== serviceAt && running--)))
              )
            const starter = (i: number) =>
              Effect.gen(function*() {
                yield* before[i]!
                if (i === 4) yield* n.start((started: (v: number) => Effect.Effect<void>) => Effect.andThen(started(i), job(i)))
                else handles.push(yield* i % 2 === 0 ? n.startSoon(job(i), { service: i === serviceAt }) : n.startNow(job(i), { service: i === serviceAt }))
              })
            const user = (use: number) =>
              Effect.gen(function*() {
                yield* before[6]!
                const task = handles[use]
                if (use === 4) yield* n.awaitIdle
                else if (task === undefined) return
                else if (use === 0) yield* Effect.exit(task.join)
                else if (use === 1) yield* task.await
                else {
                  yield* task.cancel()
                  if (Option.isNone(task.poll)) wrong.push("cancel came back before the end")
                }
              })
            // Not tasks of this nursery, because they wait for its room.
            yield* Tasks.gather([...times(6, starter), ...uses.map(user), Timeout.moveOnAfter(starter(6), 2)])
            yield* n.awaitIdle
            if (n.size > 1) wrong.push(`idle with ${n.size} tasks`)
            over = true
          }), { maxTasks: most })
        if (!over || running !== 0) wrong.push(`${running} still run`)
      })
    })
  })

  const keys = (maxTasks: number, starts: boolean) => (random: Random, wrong: Wrong) => {
    const work = pausesOf(random, 6)
    const before = pausesOf(random, 6)
    const rules = times(6, () => random.one(["keep", "replace"] as const))
    const how = times(6, () => random.below(starts ? 3 : 2))
    return Effect.gen(function*() {
      let living = 0
      yield* Nursery.open((n) => {
        const job = (i: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              if (++living > 1) wrong.push("two tasks of one key")
            }),
            () => work[i]!,
            () => Effect.sync(() => void living--)
          )
        const starter = (i: number): Effect.Effect<unknown> => {
          const options = { key: "key", ifKeyTaken: rules[i]! }
          const start: Effect.Effect<unknown> = how[i] === 0
            ? n.startSoon(job(i), options)
            : how[i] === 1
            ? n.startNow(job(i), options)
            : n.start((started: (v: number) => Effect.Effect<void>) => Effect.andThen(started(1), job(i)), { key: "key" })
          return Effect.andThen(before[i]!, start)
        }
        return Tasks.gather([...times(5, starter), n.startSoon(work[5]!), n.startSoon(work[4]!), n.startSoon(work[3]!)])
      }, { maxTasks })
    })
  }

  it("at most one task of a key lives at a time", () => {
    holds(2000, keys(Infinity, true))
  })

  // Nursery.#spawn: who waited for room is not asked again whether its key is free.
  it("at most one task of a key lives at a time, also with maxTasks", () => {
    holds(500, keys(2, false))
  })

  it("start comes back with the value, the failure or a cancellation, and its task has one owner", () => {
    holds(4000, (random, wrong) => {
      const before = pausesOf(random, 2)
      const after = pausesOf(random, 2)
      const cleanup = pause(random)
      const cancelAt = random.below(5)
      const victim = random.below(4)
      const fails = random.below(4)
      const maxTasks = random.coin(0.3) ? 1 : Infinity
      const filler = pause(random)
      return Effect.gen(function*() {
        let living = 0
        let runs = 0
        let came = "nothing"
        const block = Nursery.open((n) =>
          Effect.gen(function*() {
            if (maxTasks === 1) yield* n.startSoon(filler)
            const task = (started: (value: number) => Effect.Effect<void>) =>
              Effect.acquireUseRelease(
                Effect.sync(() => {
                  runs++
                  living++
                }),
                () =>
                  Effect.gen(function*() {
                    yield* before[0]!
                    if (fails === 1) yield* Effect.fail("before")
                    yield* started(7)
                    yield* after[0]!
                    if (fails === 2) yield* Effect.fail("after")
                  }),
                () => Effect.andThen(cleanup, Effect.sync(() => living--))
              )
            const caller = CancelScope.open((scope) =>
              Effect.gen(function*() {
                if (victim === 0) yield* killers.startSoon(Effect.andThen(Effect.sleep(cancelAt), scope.cancel()))
                return yield* n.start(task)
              }))
            const killers = n.name === "n" ? yield* outside : n
            const result = yield* Effect.exit(caller)
            came = result._tag === "Failure" ? "failure" : Result.isSuccess(result.value) ? `value ${result.value.success}` : "cancelled"
            // It may have moved already, also if its next step after `started` is still to come.
            if (came === "cancelled" && living > 0 && n.size === 0) wrong.push("start ended before its task")
            if (victim === 1) yield* n.cancelTasks()
            return yield* Effect.as(after[1]!, came)
          }), { name: "n", maxTasks })
        let around: Nursery.Nursery | undefined
        const outside = Effect.sync(() => around!)
        const whole = yield* Effect.exit(Nursery.open((outer) => {
          around = outer
          const whole = block as Effect.Effect<string, string>
          return victim === 2 ? Effect.asVoid(Timeout.moveOnAfter(whole, cancelAt)) : Effect.asVoid(whole)
        }))
        if (living !== 0 || runs > 1) wrong.push(`${living} live, ${runs} ran`)
        const errors = textOf(whole)
        if (errors.some((error) => error !== "after" && error !== "before")) wrong.push(errors.join())
        if (came.startsWith("value") && came !== "value 7") wrong.push(came)
        if (victim === 3) {
          const expected = fails === 1 ? "failure" : "value 7"
          // With `after` the nursery may be cancelled before the caller has looked.
          if (came !== expected && fails !== 2) wrong.push(`start gave ${came}`)
          if (fails === 2 && !errors.includes("after")) wrong.push("the failure is lost")
        }
      })
    })
  })

  it("a task that moves into a nursery while that is cancelled is cancelled, too", () => {
    holds(1500, (random, wrong) => {
      const before = pause(random)
      const sibling = pause(random)
      const cleanup = pause(random)
      const service = random.coin(0.3)
      return Effect.gen(function*() {
        let living = 0
        yield* Nursery.open((outer) =>
          Effect.exit(Nursery.open((n) => {
            const task = (started: (value: number) => Effect.Effect<void>) =>
              Effect.acquireUseRelease(
                Effect.sync(() => living++),
                () => Effect.andThen(before, Effect.andThen(started(1), Effect.never)),
                () => Effect.andThen(cleanup, Effect.sync(() => living--))
              )
            return Effect.andThen(outer.startSoon(Effect.exit(n.start(task, { service }))), Effect.andThen(sibling, Effect.fail("body")))
          }))
        )
        if (living !== 0) wrong.push(`${living} live`)
      })
    }, { mayFail: true })
  })

  it("gather keeps order and limit, races have one winner, wait and asCompleted count right", () => {
    holds(3000, (random, wrong) => {
      const work = pausesOf(random, 5)
      const cleanup = pausesOf(random, 5)
      const fails = times(5, () => random.coin(0.15))
      const limit = random.one([1, 2, 3, Infinity])
      const until = random.one(["all", "firstCompleted", "firstFailure"] as const)
      const timeout = random.coin(0.3) ? random.below(4) : Infinity
      const early = random.below(6)
      const stagger = random.below(3)
      return Effect.gen(function*() {
        let running = 0
        let most = 0
        const jobs = times(5, (i) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most = Math.max(most, ++running)
            }),
            () => Effect.andThen(work[i]!, Effect.suspend((): Effect.Effect<number, string> => fails[i] ? Effect.fail(`job ${i}`) : Effect.succeed(i))),
            () => Effect.andThen(cleanup[i]!, Effect.sync(() => running--))
          ))
        const quiet = (what: string) => {
          if (running !== 0) wrong.push(`${running} run after ${what}`)
          if (most > limit) wrong.push(`${most} at a time in ${what}`)
          most = 0
        }
        const gathered = yield* Effect.exit(Tasks.gather(jobs, { concurrency: limit }))
        quiet("gather")
        if (gathered._tag === "Success" ? gathered.value.join() !== "0,1,2,3,4" : textOf(gathered).length === 0) wrong.push(`gather: ${String(gathered)}`)
        if ((gathered._tag === "Success") === fails.includes(true)) wrong.push(`gather gave ${gathered._tag}`)
        const settled = yield* Tasks.gatherSettled(jobs, { concurrency: limit })
        quiet("gatherSettled")
        for (const [i, exit] of settled.entries()) if ((exit._tag === "Failure") !== fails[i]) wrong.push(`settled ${i}: ${exit._tag}`)
        const seen: Array<number> = []
        // Leaving it while one cleans up after a failure of its own: see below.
        const take = fails.includes(true) ? 5 : early
        yield* Stream.runForEach(Stream.take(Tasks.asCompleted(jobs, { concurrency: limit }), take), ({ exit, index }) =>
          Effect.sync(() => {
            seen.push(index)
            if ((exit._tag === "Failure") !== fails[index]) wrong.push(`completed ${index}: ${exit._tag}`)
          }))
        quiet("asCompleted")
        if (seen.length !== Math.min(take, 5) || new Set(seen).size !== seen.length) wrong.push(`asCompleted gave ${seen.join()}`)
        const winner = yield* Effect.exit(Tasks.firstSuccess(jobs, { stagger }))
        if (running !== 0) wrong.push("a loser outlived the race")
        if ((winner._tag === "Success") === fails.every((fail) => fail)) wrong.push(`firstSuccess gave ${winner._tag}`)
        yield* Effect.exit(Tasks.firstCompleted(jobs))
        if (running !== 0) wrong.push("a loser outlived the race")
        yield* Effect.exit(Nursery.open((n) =>
          Effect.gen(function*() {
            const tasks = yield* Effect.forEach(jobs, (job) => n.startSoon(job))
            const { done, pending } = yield* Tasks.wait(tasks, { until, timeout })
            if (done.length + pending.length !== 5) wrong.push(`wait gave ${done.length} and ${pending.length}`)
            const failed = done.some((task) => Option.exists(task.poll, Exit.isFailure))
            const enough = pending.length === 0 || (until === "firstCompleted" && done.length > 0) || (until === "firstFailure" && failed)
            if (timeout === Infinity && !enough) wrong.push("wait came back early")
          }), { onTaskFailure: "continue" }))
      })
    })
  })

  it("a channel loses no value, keeps the order of each sender, and nobody hangs", () => {
    holds(4000, (random, wrong) => {
      const capacity = random.one([0, 1, 2, Infinity])
      const each = 3
      const sends = times(3, () => pausesOf(random, each))
      const receives = times(3, () => pausesOf(random, 4))
      const tries = random.coin(0.3)
      const cancels = times(6, () => random.coin(0.3) ? random.below(5) : undefined)
      const clones = random.coin()
      return Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<string>(capacity)
        const begun: Array<string> = []
        const sent: Array<string> = []
        const received: Array<string> = []
        const own: Array<Array<string>> = times(3, () => [])
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const produce = (s: number, from: MemoryChannel.Sender<string>) =>
              Effect.gen(function*() {
                for (let i = 0; i < each; i++) {
                  const value = `${s}.${i}`
                  yield* sends[s]![i]!
                  begun.push(value)
                  if (tries && i === 1) {
                    if (yield* from.trySend(value)) sent.push(value)
                  } else {
                    yield* from.send(value)
                    sent.push(value)
                  }
                }
              }).pipe(Effect.ensuring(clones ? from.close : Effect.void))
            const consume = (r: number, from: MemoryChannel.Receiver<string>) =>
              Effect.gen(function*() {
                for (let i = 0; i < 4; i++) {
                  yield* receives[r]![i]!
                  const value = yield* from.receive
                  received.push(value)
                  own[r]!.push(value)
                }
              }).pipe(Effect.catchTag("EndOfChannel", () => Effect.void), Effect.ensuring(clones ? from.close : Effect.void))
            const tasks: Array<Nursery.Task<void, unknown>> = []
            for (let i = 0; i < 3; i++) {
              const from = clones ? yield* sender.clone : sender
              tasks.push(yield* n.startSoon(produce(i, from) as Effect.Effect<void>))
              const to = clones ? yield* receiver.clone : receiver
              tasks.push(yield* n.startSoon(consume(i, to) as Effect.Effect<void>))
            }
            for (const [i, at] of cancels.entries()) {
              if (at !== undefined) yield* n.startSoon(Effect.andThen(Effect.sleep(at), tasks[i]!.cancel()), { service: true })
            }
            if (clones) yield* sender.close
            // Who is left waits for somebody who was cancelled, or has had enough.
            yield* Effect.sleep(50)
            yield* n.cancelTasks()
          }))
        if (sender.statistics.waitingSenders !== 0 || sender.statistics.waitingReceivers !== 0) wrong.push("somebody is still in the queue")
        const rest: Array<string> = []
        for (;;) {
          const value = yield* receiver.tryReceive.pipe(Effect.catchTag("EndOfChannel", () => Effect.succeed(Option.none<string>())))
          if (Option.isNone(value)) break
          rest.push(value.value)
        }
        const all = [...received, ...rest]
        if (new Set(all).size !== all.length) wrong.push(`twice: ${all.join()}`)
        for (const value of sent) if (!all.includes(value)) wrong.push(`${value} is lost`)
        for (const value of all) if (!begun.includes(value)) wrong.push(`${value} was never sent`)
        for (const order of [received, ...own]) {
          for (let s = 0; s < 3; s++) {
            const mine = order.filter((value) => value.startsWith(`${s}.`))
            if (mine.join() !== mine.toSorted().join()) wrong.push(`out of order: ${order.join()}`)
          }
        }
      })
    }, { pauses: afterSome })
  })

  it("a broadcast whose subscribers wait loses nothing, and all see one order", () => {
    holds(3000, (random, wrong) => {
      const publishes = times(3, () => pausesOf(random, 3))
      const receives = times(3, () => pausesOf(random, 12))
      const capacities = times(3, () => random.below(3))
      const impatient = times(3, () => random.coin(0.3))
      const leaves = times(3, () => random.coin(0.3) ? random.below(6) : Infinity)
      const cancels = times(3, () => random.coin(0.3) ? random.below(5) : undefined)
      return Effect.gen(function*() {
        const news = yield* Broadcast.make<string>()
        const published: Array<string> = []
        const got: Array<Array<string>> = times(3, () => [])
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const subscriber = (s: number) => (started: (v: number) => Effect.Effect<void>) =>
              Effect.scoped(Effect.gen(function*() {
                const mine = yield* news.subscribe({ capacity: capacities[s]! })
                yield* started(s)
                for (let i = 0; i < leaves[s]!; i++) {
                  yield* receives[s]![i % 12]!
                  // Some give up waiting again and again, and take their room for a value with them.
                  let value = Option.none<string>()
                  while (Option.isNone(value)) value = yield* impatient[s]! ? Effect.tap(Timeout.moveOnAfter(mine.receive, 1), Effect.sleep(1)) : Effect.asSome(mine.receive)
                  got[s]!.push(value.value)
                }
              })).pipe(Effect.catchTag("EndOfChannel", () => Effect.void))
            for (let s = 0; s < 3; s++) yield* n.start(subscriber(s))
            yield* Nursery.open((publishers) =>
              Effect.gen(function*() {
                for (let p = 0; p < 3; p++) {
                  const task = yield* publishers.startSoon(Effect.gen(function*() {
                    for (let i = 0; i < 3; i++) {
                      yield* publishes[p]![i]!
                      yield* news.publish(`${p}.${i}`)
                      published.push(`${p}.${i}`)
                    }
                  }))
                  if (cancels[p] !== undefined) yield* publishers.startSoon(Effect.andThen(Effect.sleep(cancels[p]!), task.cancel()), { service: true })
                }
              }))
            yield* news.close
          }))
        const longest = got.reduce((a, b) => a.length >= b.length ? a : b)
        for (const [s, list] of got.entries()) {
          if (list.join() !== longest.slice(0, list.length).join()) wrong.push(`${list.join()} and ${longest.join()}`)
          if (leaves[s] !== Infinity) continue
          for (const value of published) if (!list.includes(value)) wrong.push(`${s} missed ${value}`)
          if (new Set(list).size !== list.length) wrong.push(`twice: ${list.join()}`)
        }
        if (news.size !== 0) wrong.push(`${news.size} still subscribed`)
      })
    }, { pauses: afterSome })
  })

  it("C14: a limiter is never above its total, serves in order, and has all tokens back at the end", () => {
    holds(4000, (random, wrong) => {
      const total = 1 + random.below(3)
      const resize = random.coin(0.4)
      const sizes = times(3, () => random.below(4))
      const work = pausesOf(random, 8)
      const how = times(8, () => random.below(6))
      const cancels = times(8, () => random.coin(0.3) ? random.below(6) : undefined)
      return Effect.gen(function*() {
        const limiter = yield* CapacityLimiter.make(total)
        let active = 0
        const order: Array<number> = []
        const most = resize ? Math.max(total, 4, ...sizes) : total
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const inside = (i: number) =>
              Effect.acquireUseRelease(
                Effect.sync(() => {
                  order.push(i)
                  if (++active > most) wrong.push(`${active} active`)
                  if (limiter.statistics.borrowed < active) wrong.push(`${limiter.statistics.borrowed} borrowed, ${active} active`)
                }),
                () => work[i]!,
                () => Effect.sync(() => void active--)
              )
            for (let i = 0; i < 8; i++) {
              const job: Effect.Effect<unknown, unknown> = how[i] === 0
                ? limiter.tryWithToken(inside(i))
                : how[i] === 1
                ? Effect.scoped(Effect.andThen(limiter.acquireFor(i), inside(i)))
                : how[i] === 2
                ? Timeout.moveOnAfter(limiter.withToken(inside(i)), 2)
                : limiter.withToken(inside(i))
              const task = yield* n.startNow(job as Effect.Effect<unknown>)
              if (cancels[i] !== undefined) yield* n.startSoon(Effect.andThen(Effect.sleep(cancels[i]!), task.cancel()))
            }
            if (resize) for (const size of [...sizes, 4]) yield* Effect.andThen(Effect.sleep(1), limiter.setTotal(size))
          }))
        const { borrowed, waiting } = limiter.statistics
        if (borrowed !== 0 || waiting !== 0 || active !== 0) wrong.push(`${borrowed} borrowed, ${waiting} wait, ${active} active`)
        yield* limiter.withToken(Effect.void)
      })
    })
    holds(1000, (random, wrong) => {
      const work = pausesOf(random, 8)
      const cancels = times(8, () => random.coin(0.3) ? random.below(6) : undefined)
      return Effect.gen(function*() {
        const limiter = yield* CapacityLimiter.make(1)
        const order: Array<number> = []
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            for (let i = 0; i < 8; i++) {
              const task = yield* n.startNow(limiter.withToken(Effect.andThen(Effect.sync(() => order.push(i)), work[i]!)))
              if (cancels[i] !== undefined) yield* n.startSoon(Effect.andThen(Effect.sleep(cancels[i]!), task.cancel()))
            }
          }))
        if (order.join() !== order.toSorted((a, b) => a - b).join()) wrong.push(`order ${order.join()}`)
      })
    }, { pauses: afterSome })
  })

  it("nobody misses the setting of an event or a value that was waited for", () => {
    holds(3000, (random, wrong) => {
      const waits = pausesOf(random, 6)
      const sets = pausesOf(random, 6)
      const cancels = times(6, () => random.coin(0.2) ? random.below(4) : undefined)
      return Effect.gen(function*() {
        const event = yield* Event.make()
        const count = yield* Watch.make(0)
        let last = 0
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            for (let i = 0; i < 6; i++) {
              const task = yield* n.startSoon(Effect.gen(function*() {
                yield* waits[i]!
                if (i % 2 === 0) {
                  yield* event.wait
                  if (!event.isSet) wrong.push("went on before the event")
                } else {
                  const value = yield* count.waitUntil((value) => value >= i)
                  if (value < i) wrong.push(`${value} is below ${i}`)
                }
              }))
              if (cancels[i] !== undefined) yield* n.startSoon(Effect.andThen(Effect.sleep(cancels[i]!), task.cancel()))
            }
            yield* n.startSoon(Stream.runForEach(Stream.takeUntil(count.changes, (value) => value === 6), (value) =>
              Effect.sync(() => {
                if (value < last) wrong.push(`${value} after ${last}`)
                last = value
              })))
            yield* n.startSoon(Effect.andThen(waits[0]!, event.set))
            for (let i = 0; i < 6; i++) yield* Effect.andThen(sets[i]!, count.update((value) => value + 1))
          }))
        if (last !== 6) wrong.push(`the stream ended at ${last}`)
        if (event.waiting !== 0) wrong.push(`${event.waiting} wait`)
      })
    })
  })

  it("a stop is heard by all inside, and is over when its grace is", () => {
    holds(4000, (random, wrong) => {
      const grace = random.below(6)
      const stopAt = random.below(4)
      const second = random.coin(0.3) ? random.below(6) : undefined
      const work = pausesOf(random, 4)
      const kinds = times(4, () => random.below(5))
      const how = times(4, () => random.below(3))
      const ready = pausesOf(random, 4)
      return Effect.gen(function*() {
        let heard = 0
        let listening = 0
        const listener = Effect.andThen(
          Effect.suspend(() => {
            listening++
            return Effect.void
          }),
          Effect.flatMap(CancelScope.whenStopping, () => Effect.sync(() => void heard++))
        )
        const task = (i: number): Effect.Effect<unknown> => {
          switch (kinds[i]) {
            case 0:
              return listener
            case 1:
              return Effect.andThen(CancelScope.untilStopping(Effect.never), work[i]!)
            case 2:
              return CancelScope.open(() => CancelScope.untilStopping(Effect.andThen(work[i]!, Effect.never)))
            case 3:
              return Effect.never
            default:
              return Timeout.moveOnAfter(CancelScope.untilStopping(Tasks.gather([Effect.never, work[i]!])), 20)
          }
        }
        let scope: CancelScope.CancelScope | undefined
        yield* Nursery.open((outer) =>
          Effect.gen(function*() {
            yield* outer.startSoon(CancelScope.open((opened) => {
              scope = opened
              return Nursery.open((n) =>
                Effect.gen(function*() {
                  for (let i = 0; i < 4; i++) {
                    if (how[i] === 0) yield* n.startSoon(task(i))
                    else if (how[i] === 1) yield* n.startNow(task(i))
                    else yield* n.start((started: (v: number) => Effect.Effect<void>) => Effect.andThen(Effect.andThen(ready[i]!, started(i)), task(i)))
                  }
                }))
            }))
            const stopper = (at: number, grace: number) =>
              Effect.gen(function*() {
                yield* Effect.sleep(at)
                while (scope === undefined) yield* Effect.sleep(1)
                yield* scope.stop({ grace })
                if (scope.state !== "ended") wrong.push(`stop came back, and the scope is ${scope.state}`)
              })
            yield* outer.startSoon(stopper(stopAt, grace))
            if (second !== undefined) yield* outer.startSoon(stopper(second, grace + second))
          }))
        if (heard > listening) wrong.push(`${heard} of ${listening} heard`)
        // Not at once: time may pass while tasks are ready.
        if ((yield* Timeout.now) > 100) wrong.push(`over at ${yield* Timeout.now}`)
      })
    })
  })

  it("a supervised nursery hands over each failure once", () => {
    holds(1500, (random, wrong) => {
      const work = pausesOf(random, 5)
      const fails = times(5, () => random.coin())
      const handling = pause(random)
      const cancelAt = random.coin(0.3) ? random.below(4) : 100
      return Effect.gen(function*() {
        const handled: Array<string> = []
        const tasks: Array<Nursery.Task<unknown, unknown>> = []
        yield* Timeout.moveOnAfter(
          Nursery.supervised(
            (n) =>
              Effect.gen(function*() {
                for (let i = 0; i < 5; i++) tasks.push(yield* n.startSoon(Effect.andThen(work[i]!, fails[i] ? Effect.fail(`${i}`) : Effect.void), { name: `${i}` }))
              }),
            (cause, task) => Effect.andThen(handling, Effect.sync(() => void handled.push(`${task.name} ${textOf(Exit.failCause(cause)).join()}`)))
          ),
          cancelAt
        )
        const failed = tasks.filter((task) => Option.exists(task.poll, (exit) => textOf(exit).length > 0)).map((task) => `${task.name} ${task.name}`)
        if (handled.toSorted().join() !== failed.toSorted().join()) wrong.push(`failed ${failed.join()}, handled ${handled.join()}`)
      })
    })
  })

  it("a nursery that lives as long as its Scope leaves no task behind it", () => {
    holds(1500, (random, wrong) => {
      const work = pausesOf(random, 3)
      const lives = pausesOf(random, 2)
      const cleanup = pause(random)
      const cancelAt = random.coin(0.4) ? random.below(4) : 100
      const fails = random.coin(0.2)
      return Effect.gen(function*() {
        let living = 0
        yield* Effect.exit(Nursery.open((n) => {
          const user = Effect.scoped(Effect.gen(function*() {
            const mine = yield* n.scoped()
            for (let i = 0; i < 3; i++) {
              yield* mine.startSoon(Effect.acquireUseRelease(Effect.sync(() => living++), () => i === 0 ? Effect.never : Effect.andThen(work[i]!, fails ? Effect.fail("no") : Effect.void), () => Effect.andThen(cleanup, Effect.sync(() => living--))))
              yield* lives[0]!
            }
            yield* lives[1]!
          }))
          return Effect.andThen(
            Timeout.moveOnAfter(user, cancelAt),
            Effect.sync(() => {
              if (living !== 0) wrong.push(`${living} outlived the Scope`)
            })
          )
        }))
        if (living !== 0) wrong.push(`${living} outlived the nursery`)
      })
    })
  })

  // NurseryBlock.supervise, Block.start: a handler that waits for its turn because starts are deeply nested never runs when the nursery is cancelled.
  it("a failure is handed over although the nursery is cancelled in the same step", () => {
    holds(1, (_, wrong) =>
      Effect.gen(function*() {
        const handled: Array<string> = []
        const go = yield* Event.make()
        const body = (scope: CancelScope.CancelScope) => (n: Nursery.Nursery) => {
          const nest = (deep: number): Effect.Effect<unknown> =>
            deep === 0 ? Effect.andThen(go.set, scope.cancel()) : n.startNow(Effect.suspend(() => nest(deep - 1)))
          return Effect.andThen(n.startNow(Effect.andThen(go.wait, Effect.fail("lost"))), Effect.andThen(nest(62), Effect.never))
        }
        yield* CancelScope.open((scope) => Nursery.supervised(body(scope), (_cause, task) => Effect.sync(() => handled.push(task.name))))
        if (handled.length !== 1) wrong.push(`${handled.length} handled`)
      }), { pauses: [{ ops: 2048 }] })
  })

  // StartBlock.begin asks only whether the nursery is full; #spawn lets services in.
  it("a service can be started by `start` while the nursery is full", () => {
    holds(1, () => Nursery.open((n) => n.startSoon(n.start((started: (v: number) => Effect.Effect<void>) => started(1), { service: true })), { maxTasks: 1 }))
  })

  // The same, and uninterruptible, so that no time limit helps.
  it("a scoped nursery can be opened inside a full one", () => {
    holds(1, () => Nursery.open((n) => n.startSoon(Effect.scoped(n.scoped())), { maxTasks: 1 }))
  })

  // Block.run: of a body that runs for the first time the fiber is not known, so a cancellation comes as a plain failure of the inner block.
  it("a body that is cancelled on its first run goes no further, also from inside another block", () => {
    holds(1, (_, wrong) =>
      Effect.exit(Nursery.open((n) =>
        CancelScope.open(() => n.startNow(Effect.fail("no"))).pipe(Effect.exit, Effect.andThen(Effect.sync(() => wrong.push("it went on"))))
      )), { pauses: [{ ops: 2048 }] })
  })

  // tellBeginner: takes any fiber that has inherited the place for the beginner.
  it("a detached fiber that cancels the scope in the first run of its body lives on", () => {
    holds(1, (_, wrong) =>
      Effect.gen(function*() {
        let lives = false
        const detached = (scope: CancelScope.CancelScope) => Effect.andThen(scope.cancel(), Effect.andThen(Effect.sleep(1), Effect.sync(() => void (lives = true))))
        yield* CancelScope.open((scope) => Effect.andThen(Effect.forkDetach(detached(scope), { startImmediately: true }), Effect.never))
        yield* Effect.sleep(5)
        if (!lives) wrong.push("it was interrupted")
      }), { pauses: [{ ops: 2048 }] })
  })

  // SettleBlock.ended: a job's own failure, which is a value of the stream, counts as an error of the cleanup; the stream's type says that it cannot fail.
  it("leaving asCompleted does not fail with what a job failed with before", () => {
    const jobs = [Effect.sleep(1), Effect.ensuring(Effect.fail("typed"), Effect.sleep(10))]
    holds(1, () => Stream.runDrain(Stream.take(Tasks.asCompleted<void, string, never>(jobs), 1)))
  })

  // ChannelState.tryReceive and trySend do not ask `isAboutToPause`, as `receive` and `send` do.
  it("tryReceive loses no value when its fiber pauses and is cancelled", () => {
    holds(200, (random, wrong) => {
      const before = random.below(20)
      return Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1)
        yield* sender.send(1)
        let received = 0
        const consume = Effect.gen(function*() {
          for (let i = 0; i < before; i++) yield* Effect.sync(() => i)
          if (Option.isSome(yield* receiver.tryReceive)) received++
        })
        yield* Nursery.open((n) => Effect.flatMap(n.startNow(consume as Effect.Effect<void>), (task) => task.cancel()))
        if (received + receiver.statistics.used !== 1) wrong.push("the value is lost")
      })
    }, { pauses: afterSome })
  })
})
