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

/**
 * Who a fiber borrows for. The body of a scope, time limit or nursery does the
 * work of the task around it; only a fiber that the library did not start, or a
 * branch that Effect forked inside a task, stands for itself.
 */
const borrowerOf = (fiber: AnyFiber): Member | AnyFiber => {
  let member = fiber.getRef(Place)
  if (member === undefined || member.fiber !== fiber) return fiber
  // Tasks and the branches of gather are of other classes.
  while (member.constructor === Member) {
    const { owner, parent } = member.block as Member["block"]
    if (parent === undefined || parent.fiber !== owner) return owner
    member = parent
  }
  return member
}

/** One use of a token, from asking for it to giving it back. */
class Hold {
  readonly borrower: unknown
  has = false
  private readonly limiter: Handle
  /** By `acquireFor`: the borrower was named, and is not the task that runs. */
  readonly given: boolean
  /** What to go on with when it has waited. */
  self: AnyEffect = Exit.void

  constructor(limiter: Handle, borrower: unknown, given: boolean) {
    this.limiter = limiter
    this.borrower = borrower
    this.given = given
  }

  get name(): unknown {
    if (this.given) return this.borrower
    const borrower = this.borrower as Member | AnyFiber
    return borrower instanceof Member ? borrower.task : `fiber #${borrower.id}`
  }

  /** A task that waits for itself is a mistake in the program; for a borrower that was named it may happen. */
  refuse(conflict: Errors.Busy): Exit.Exit<never, Errors.Busy> {
    return this.given ? Exit.fail(conflict) : Exit.die(conflict)
  }

  release(): void {
    if (this.has) this.limiter.takeBack(this)
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

  withToken<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const run: Effect.Effect<A, E, R> = Effect.withFiber((fiber) => {
      const hold = new Hold(this, borrowerOf(fiber), false)
      if (this.isFree) return this.returning(hold, Effect.suspend(() => this.take(hold) ? self : this.wait(hold, run, self)))
      return this.wait(hold, run, self)
    })
    return run
  }

  tryWithToken<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> {
    const some = Effect.map(self, Option.some)
    return Effect.withFiber((fiber) => {
      const hold = new Hold(this, borrowerOf(fiber), false)
      return this.returning(hold, Effect.suspend((): Effect.Effect<Option.Option<A>, E, R> => {
        if (this.take(hold)) return some
        const conflict = this.conflict(hold)
        return conflict === undefined ? noneExit : Exit.die(conflict)
      }))
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
        const hold = new Hold(this, borrower, true)
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
    if (!this.isFree || this.holds.has(hold.borrower)) return false
    this.give(hold)
    return true
  }

  private give(hold: Hold): void {
    hold.has = true
    this.holds.set(hold.borrower, hold)
  }

  private conflict(hold: Hold): Errors.Busy | undefined {
    const other = this.holds.get(hold.borrower)
    return other === undefined ? undefined : new Errors.Busy({ what: `a token of ${this.label}`, holder: String(other.name) })
  }

  /** Waits for a token and goes on with `self`. */
  private wait<A, E, R>(hold: Hold, again: Effect.Effect<A, E, R>, self: Effect.Effect<A, E, R>): Effect.Effect<A, any, R> {
    return Effect.callback((resume) => {
      const conflict = this.conflict(hold)
      if (conflict !== undefined) {
        resume(hold.refuse(conflict))
        return undefined
      }
      // Asked in the step that registers it: a scheduler may have let others run since.
      if (this.isFree) {
        resume(again)
        return undefined
      }
      hold.self = self as AnyEffect
      const wait = new Wait("wait for a token of", this, hold, resume as (effect: AnyEffect) => void)
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
    for (let free = this.total - this.holds.size; free > 0 && this.holds.size < this.total; free--) {
      const wait = this.waiting.first
      if (wait === undefined) return
      const hold = wait.brought as Hold
      const conflict = this.conflict(hold)
      if (conflict === undefined) {
        this.give(hold)
        // Made now: as many as have a token, not as many as wait.
        wait.resumeNow(hold.given ? hold.self : this.returning(hold, hold.self))
      } else wait.resumeNow(hold.refuse(conflict))
    }
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
