/**
 * Limiters: at most so many at a time, first come, first served, and nobody
 * holds two tokens.
 *
 * Semantics: Trio's `CapacityLimiter`. A limiter of 1 is a lock. Effect's
 * `Semaphore` takes a time for each release that grows with the number of those
 * who wait, and knows no borrowers, so a task that asks for a second permit waits
 * for itself.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Errors from "./Errors.ts"
import { type AnyEffect, type AnyFiber, Member, Place } from "./internal/Block.ts"
import { type Step, wakeUp } from "./internal/Cascade.ts"
import { countOf, labelOf } from "./internal/Count.ts"
import { Wait, WaitQueue } from "./internal/Wait.ts"

/**
 * A number of tokens that tasks borrow.
 *
 * @since 0.1.0
 */
export interface CapacityLimiter {
  /**
   * Runs an effect with a token: waits for one, first come, first served, and
   * gives it back when the effect has ended, in whatever way.
   *
   * The borrower is the task, with its scopes, time limits and nursery bodies.
   * If it has a token already, that is the defect `Busy`: it would wait for
   * itself. A fiber that an operator of Effect forked inside a task borrows for
   * itself.
   */
  withToken<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  /** The same without waiting: `None` when no token is free or others wait, and the effect does not run. */
  tryWithToken<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R>
  /**
   * Borrows a token for somebody else, such as a connection, until the Scope
   * closes. `Busy` when that borrower has one already, or has got one while this waited.
   */
  acquireFor(borrower: unknown): Effect.Effect<void, Errors.Busy, Scope.Scope>
  /** Changes the number of tokens. Those who have one keep it; as many as fit now go on. */
  setTotal(tokens: number): Effect.Effect<void>
  readonly statistics: Statistics
}

/**
 * A limiter at this moment.
 *
 * @since 0.1.0
 */
export interface Statistics {
  readonly total: number
  readonly borrowed: number
  readonly waiting: number
  /** Who has a token, in order: the names of tasks, and what was given to `acquireFor`. */
  readonly borrowers: ReadonlyArray<unknown>
}

/** One use of a token, from asking for it to giving it back. */
class Hold {
  /** The fiber that asked, or what was given to `acquireFor`. */
  declare readonly borrower: unknown
  /** The task or body that the fiber belongs to. */
  declare readonly place: Member | undefined
  /** By `acquireFor`: the borrower was named, and is not the task that runs. */
  declare readonly given: boolean
  declare has: boolean
  /** What to go on with when it has waited. */
  declare self: AnyEffect
  private declare readonly limiter: Handle

  // `declare` and assignments: fields with initializers take twice the time.
  constructor(limiter: Handle, borrower: unknown, place: Member | undefined, given: boolean) {
    this.limiter = limiter
    this.borrower = borrower
    this.place = place
    this.given = given
    this.has = false
    this.self = Exit.void
  }

  get name(): unknown {
    if (this.given) return this.borrower
    const fiber = this.borrower as AnyFiber
    return this.place?.fiber === fiber ? this.place.task : `fiber #${fiber.id}`
  }

  release(): void {
    if (this.has) this.limiter.takeBack(this)
  }
}

/**
 * The hold that the fiber would wait for itself for: its own, or that of a fiber
 * around it that waits for it. The body of a scope, time limit or nursery does
 * the work of the task around it; a task, a branch of gather and a fiber that
 * Effect forked stand for themselves.
 */
const holdAround = (holds: ReadonlyMap<unknown, Hold>, hold: Hold): Hold | undefined => {
  let fiber = hold.borrower as AnyFiber
  for (let place = hold.place;;) {
    const other = holds.get(fiber)
    if (other !== undefined) return other
    // Tasks and the branches of gather are of other classes.
    if (place === undefined || place.constructor !== Member || place.fiber !== fiber) return undefined
    const block: Member["block"] = place.block
    fiber = block.owner
    place = block.parent
  }
}

const noneExit = Exit.succeed(Option.none())

class Handle implements CapacityLimiter, Step {
  readonly name: string
  readonly label: string
  private total: number
  private readonly holds = new Map<unknown, Hold>()
  private readonly waiting = new WaitQueue()
  private serving = false

  constructor(total: number, name: string | undefined) {
    this.total = total
    this.name = name ?? "limiter"
    this.label = labelOf("limiter", name)
  }

  // Fields, so that they work unbound: `effect.pipe(limiter.withToken)`.
  readonly withToken = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const run: Effect.Effect<A, E, R> = Effect.withFiber((fiber) => {
      const hold = new Hold(this, fiber, fiber.getRef(Place), false)
      if (this.isFree) return this.returning(hold, Effect.suspend(() => this.take(hold) ? self : this.wait(hold, run, self)))
      return this.wait(hold, run, self)
    })
    return run
  }

  readonly tryWithToken = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> => {
    const some = Effect.map(self, Option.some)
    return Effect.withFiber((fiber) => {
      const hold = new Hold(this, fiber, fiber.getRef(Place), false)
      return this.returning(hold, Effect.suspend(() => this.take(hold) ? some : this.refusal(hold) ?? noneExit))
    })
  }

  // What gives the token back is in place before the token is taken, so there is
  // no step between the two in which a cancellation could lose it.
  private returning<A, E, R>(hold: Hold, body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.onExit(body, () => {
      hold.release()
      return Exit.void
    })
  }

  acquireFor(borrower: unknown): Effect.Effect<void, Errors.Busy, Scope.Scope> {
    const acquire = (scope: Scope.Scope): Effect.Effect<void, Errors.Busy> =>
      Effect.uninterruptibleMask((restore) => {
        const hold = new Hold(this, borrower, undefined, true)
        const registered = Effect.suspend(() => Scope.addFinalizer(scope, Effect.sync(() => hold.release())))
        if (this.take(hold)) return registered
        return Effect.flatMap(restore(this.wait(hold, Exit.void, Exit.void)), () => hold.has ? registered : acquire(scope))
      })
    return Effect.flatMap(Effect.scope, acquire)
  }

  private get isFree(): boolean {
    return this.waiting.length === 0 && this.holds.size < this.total
  }

  /** Takes a token if one is free for a borrower that has none. */
  private take(hold: Hold): boolean {
    if (!this.isFree || this.around(hold) !== undefined) return false
    this.give(hold)
    return true
  }

  private give(hold: Hold): void {
    hold.has = true
    this.holds.set(hold.borrower, hold)
  }

  private around(hold: Hold): Hold | undefined {
    if (this.holds.size === 0) return undefined
    return hold.given ? this.holds.get(hold.borrower) : holdAround(this.holds, hold)
  }

  /** What to answer to a borrower that has a token already. */
  private refusal(hold: Hold): Exit.Exit<never, any> | undefined {
    const other = this.around(hold)
    if (other === undefined) return undefined
    const busy = new Errors.Busy({ what: `a token of ${this.label}`, holder: String(other.name) })
    // A task that would wait for itself is a mistake in the program; a borrower that was named may well have a token.
    return hold.given ? Exit.fail(busy) : Exit.die(busy)
  }

  /** Waits for a token and goes on with `self`. */
  private wait<A, E, R>(hold: Hold, again: Effect.Effect<A, E, R>, self: Effect.Effect<A, E, R>): Effect.Effect<A, any, R> {
    return Effect.callback((resume) => {
      const refusal = this.refusal(hold)
      // Asked in the step that registers it: a scheduler may have let others run since.
      if (refusal !== undefined || this.isFree) {
        resume(refusal ?? again)
        return undefined
      }
      hold.self = self as AnyEffect
      const wait = new Wait("waiting for a token of", this, hold, resume as (effect: AnyEffect) => void)
      this.waiting.push(wait)
      // It stays in place until `self` has ended, so it covers the time before `returning` does.
      return Effect.sync(() => {
        wait.leaveNow()
        hold.release()
      })
    })
  }

  takeBack(hold: Hold): void {
    hold.has = false
    this.holds.delete(hold.borrower)
    this.serve()
  }

  private serve(): void {
    if (this.serving || this.waiting.length === 0 || this.holds.size >= this.total) return
    this.serving = true
    wakeUp(this)
  }

  /** Gives the free tokens to those who wait, each in the step that lets it run. */
  run(): void {
    this.serving = false
    // Who is resumed may give its token back at once. That one has a step of its
    // own, so that a long queue of short bodies does not keep everybody else out.
    for (let free = this.total - this.holds.size; free > 0 && this.holds.size < this.total;) {
      const wait = this.waiting.first
      if (wait === undefined) return
      const hold = wait.brought as Hold
      // Only a named borrower can have got one while it waited.
      const refusal = hold.given ? this.refusal(hold) : undefined
      if (refusal !== undefined) {
        wait.resumeNow(refusal)
        continue
      }
      free--
      this.give(hold)
      // Made now: as many as have a token, not as many as wait.
      wait.resumeNow(hold.given ? hold.self : this.returning(hold, hold.self))
    }
  }

  /** Those who have a token. */
  *holders(): Iterable<Member> {
    for (const hold of this.holds.values()) if (hold.place !== undefined) yield hold.place
  }

  setTotal(tokens: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.total = countOf("tokens", tokens)
      this.serve()
    })
  }

  get statistics(): Statistics {
    return {
      total: this.total,
      borrowed: this.holds.size,
      waiting: this.waiting.length,
      borrowers: Array.from(this.holds.values(), (hold) => hold.name)
    }
  }

  toString(): string {
    return `CapacityLimiter(${this.name}, ${this.holds.size} of ${this.total} borrowed, ${this.waiting.length} waiting)`
  }

  toJSON(): unknown {
    return { _id: "CapacityLimiter", name: this.name, ...this.statistics }
  }
}

/**
 * Makes a limiter with so many tokens: an integer from 0 and up, or `Infinity`.
 * Anything else is a defect.
 *
 * **When to use**
 *
 * To bound the use of something scarce by tasks of any nursery. To bound the
 * tasks of one nursery use its `maxTasks`, for a list of work the `concurrency`
 * of `Tasks.map`. `make(1)` is a lock.
 *
 * **Details**
 *
 * A waiting borrower takes its token in the step in which it goes on, so none is
 * lost by a cancellation; a token comes back in the step in which its holder ends.
 *
 * **Example** (Three connections)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { CapacityLimiter, Nursery } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* CapacityLimiter.make(3, { name: "database" })
 *   const query = Effect.sleep("5 millis")
 *   yield* Nursery.open((n) =>
 *     Effect.gen(function*() {
 *       for (let id = 1; id <= 5; id++) yield* n.startNow(limiter.withToken(query), { name: `query ${id}` })
 *       yield* Console.log(String(limiter))
 *       yield* Console.log(limiter.statistics.borrowers.join(", "))
 *     })
 *   )
 *   yield* Console.log(String(limiter))
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * CapacityLimiter(database, 3 of 3 borrowed, 2 waiting)
 * query 1, query 2, query 3
 * CapacityLimiter(database, 0 of 3 borrowed, 0 waiting)
 * ```
 *
 * @since 0.1.0
 */
export const make = (tokens: number, options?: { readonly name?: string }): Effect.Effect<CapacityLimiter> =>
  Effect.sync(() => new Handle(countOf("tokens", tokens), options?.name))
