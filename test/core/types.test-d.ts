/** What the types promise. Checked by `npm run check`; nothing here is run. */
import { Context, Data, Effect, Layer, type Option, type Result, type Scope } from "effect"
import { CancelScope, type Errors, Failures, Nursery, Timeout } from "effect-nursery"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles only if the type of the value is exactly `Expected`. */
const is = <Expected>() => <Actual>(_value: Actual, ..._same: Equal<Actual, Expected> extends true ? [] : [never]): void => {}

// @ts-expect-error the helper sees a union that is too wide
is<number | string>()(1 as number)
// @ts-expect-error and `any`
is<number>()(1 as any)

class DbError extends Data.TaggedError("DbError")<{}> {}
class NetError extends Data.TaggedError("NetError")<{}> {}
class Db extends Context.Service<Db, { readonly query: Effect.Effect<number, DbError> }>()("types/Db") {}

declare const db: Effect.Effect<number, DbError>
declare const net: Effect.Effect<string, NetError>
declare const quiet: Effect.Effect<void>
declare const needsDb: Effect.Effect<number, DbError, Db>

// # The errors of tasks are in the type of the block

is<Effect.Effect<void>>()(Nursery.open(() => Effect.void))
is<Effect.Effect<void, DbError>>()(Nursery.open((n) => Effect.asVoid(n.startSoon(db))))
is<Effect.Effect<string, DbError | NetError>>()(Nursery.open((n) => Effect.andThen(n.startSoon(db), net)))

// through Effect.gen
is<Effect.Effect<number, DbError | NetError>>()(Nursery.open((n) => Effect.gen(function*() {
  yield* n.startSoon(db)
  yield* n.startNow(net)
  yield* n.startSoon(quiet)
  return 1
})))

// through forEach, start and services
is<Effect.Effect<void, DbError>>()(Nursery.open((n) => Effect.forEach([1, 2], () => n.startSoon(db, { service: true }), { discard: true })))
is<Effect.Effect<number, DbError>>()(Nursery.open((n) => n.start((started: (port: number) => Effect.Effect<void>) => Effect.andThen(started(1), db))))

// through helpers that take the nursery, with and without a name
const helper = <N extends string>(n: Nursery.Nursery<N>) => Effect.andThen(n.startSoon(db), n.startSoon(net))
is<Effect.Effect<Nursery.Task<string, NetError>, DbError | NetError>>()(Nursery.open((n) => helper(n)))
is<Effect.Effect<Nursery.Task<string, NetError>, DbError | NetError>>()(Nursery.open((n) => helper(n), { name: "named" }))

// through tasks that start tasks
is<Effect.Effect<void, DbError | NetError>>()(Nursery.open((n) =>
  Effect.asVoid(n.startSoon(Effect.gen(function*() {
    yield* n.startSoon(Effect.asVoid(n.startSoon(net)))
    yield* n.startSoon(db)
  })))
))

// # A catch around a start loses nothing

is<Effect.Effect<void, DbError>>()(Nursery.open((n) => n.startSoon(db).pipe(Effect.catch(() => Effect.void), Effect.asVoid)))
is<Effect.Effect<void, DbError>>()(Nursery.open((n) => n.startSoon(db).pipe(Effect.catchCause(() => Effect.void), Effect.ignore, Effect.asVoid)))
is<Effect.Effect<void, DbError>>()(Nursery.open((n) => n.startSoon(db).pipe(Effect.orDie, Effect.asVoid)))
// of `start` only the part that comes out at the caller is caught
is<Effect.Effect<void, DbError>>()(Nursery.open((n) =>
  n.start((started: (port: number) => Effect.Effect<void>) => Effect.andThen(started(1), db)).pipe(Effect.catchTag("DbError", () => Effect.void), Effect.asVoid)
))
// where the errors really are they are caught
is<Effect.Effect<void>>()(Nursery.open((n) => Effect.asVoid(n.startSoon(db))).pipe(Effect.catchTag("DbError", () => Effect.void)))

// # A start outside of its block does not compile

declare const leaked: Nursery.Nursery
is<Effect.Effect<Nursery.Task<number, DbError>, never, Nursery.Fails<DbError>>>()(leaked.startSoon(db))
// @ts-expect-error a task that may fail has nowhere to fail to
void Effect.runPromise(leaked.startSoon(db))
// @ts-expect-error also where only a part of the program is leaked
void Effect.runPromise(Effect.gen(function*() {
  yield* leaked.startSoon(db)
}))
// @ts-expect-error and for `start` and `accepting`
void Effect.runPromise(leaked.accepting<DbError>())
// A task that cannot fail may be started from everywhere: after the end that is a defect.
void Effect.runPromise(leaked.startSoon(quiet))

// # Two nested nurseries

// A literal name is a brand: the inner block collects its own, and leaves the outer one's.
is<Effect.Effect<void, DbError | NetError>>()(Nursery.open((outer) =>
  Nursery.open((inner) => Effect.gen(function*() {
    yield* outer.startSoon(db)
    yield* inner.startSoon(net)
  }), { name: "inner" }), { name: "outer" }))
is<Effect.Effect<void, DbError>>()(Nursery.open((outer) =>
  Nursery.open((inner) => Effect.gen(function*() {
    yield* outer.startSoon(db)
    yield* inner.startSoon(net)
  }), { name: "inner" }).pipe(Effect.catchTag("NetError", () => Effect.void)), { name: "outer" }))
Nursery.open((outer) =>
  Nursery.open(() => Effect.asVoid(outer.startSoon(db)), { name: "inner" }).pipe(
    // @ts-expect-error the outer one's error does not come out of the inner block
    Effect.catchTag("DbError", () => Effect.void)
  ), { name: "outer" })

// A name made from a template is a brand, too.
declare const id: number
is<Effect.Effect<void, DbError>>()(Nursery.open((outer) =>
  Nursery.open(() => Effect.asVoid(outer.startSoon(db)), { name: `conn ${id}` as const }), { name: "outer" }))

// `accepting` declares the errors once, in the outer block; inner ones see nothing of it.
is<Effect.Effect<void, DbError>>()(Nursery.open((outer) => Effect.gen(function*() {
  const spawner = yield* outer.accepting<DbError>()
  yield* Nursery.open(() => Effect.asVoid(spawner.startSoon(db)))
})))
// and takes nothing else
Nursery.open((outer) => Effect.gen(function*() {
  const spawner = yield* outer.accepting<DbError>()
  // @ts-expect-error NetError was not declared
  yield* spawner.startSoon(net)
  const run = yield* spawner.runtime()
  is<Nursery.Task<number, DbError>>()(run(db))
  // @ts-expect-error NetError was not declared
  run(net)
}))

// The documented hole: two blocks without a name. The inner type shows too much, and a catch there hides it from the outer one.
is<Effect.Effect<void>>()(Nursery.open((outer) =>
  Nursery.open(() => Effect.asVoid(outer.startSoon(db))).pipe(Effect.catchTag("DbError", () => Effect.void))
))

// # Services of tasks

is<Effect.Effect<void, DbError, Db>>()(Nursery.open((n) => Effect.asVoid(n.startSoon(needsDb))))
is<Effect.Effect<void, DbError, Scope.Scope>>()(Nursery.open((n) => Effect.asVoid(n.startSoon(Effect.andThen(Effect.addFinalizer(() => Effect.void), db)))))
// @ts-expect-error the service of a task is missing
void Effect.runPromise(Nursery.open((n) => n.startSoon(needsDb)))

// # Task handles

is<Effect.Effect<void, DbError>>()(Nursery.open((n) => Effect.gen(function*() {
  const task = yield* n.startSoon(db)
  is<Nursery.Task<number, DbError>>()(task)
  is<Effect.Effect<number, DbError>>()(task.join)
  is<Effect.Effect<void>>()(task.cancel("why"))
})))

// # Supervised: the errors of tasks go to the handler and not into the block

is<Effect.Effect<void>>()(Nursery.supervised(
  (n) => Effect.asVoid(n.startSoon(db)),
  (cause, task) => Effect.sync(() => {
    is<ReadonlyArray<Failures.Failure<DbError>>>()(Failures.fromCause(cause))
    is<Nursery.Task<unknown, DbError>>()(task)
  })
))
is<Effect.Effect<void, NetError | string>>()(Nursery.supervised((n) => Effect.andThen(n.startSoon(db), Effect.asVoid(net)), () => Effect.fail("handler" as string)))

// # Service: a fixed error type

class App extends Nursery.Service<App, DbError>()("types/App") {}
class Safe extends Nursery.Service<Safe>()("types/Safe") {}
is<Effect.Effect<Nursery.Task<number, DbError>, never, App>>()(App.startSoon(db))
is<Effect.Effect<void, DbError>>()(App.open(Effect.asVoid(App.startSoon(quiet))))
is<Effect.Effect<void, DbError | NetError, Db>>()(App.open(Effect.andThen(Effect.andThen(App.startSoon(quiet), Db), Effect.asVoid(net))))
// @ts-expect-error NetError was not declared
App.startSoon(net)
// @ts-expect-error nothing was declared
Safe.startSoon(db)
is<Effect.Effect<Nursery.Spawner<DbError>, never, Scope.Scope | App>>()(App.scoped())
// @ts-expect-error without `open` the service is missing
void Effect.runPromise(App.startSoon(db))

// A layer whose tasks fail into App
class Pool extends Context.Service<Pool, { readonly size: number }>()("types/Pool") {}
const PoolLive = Layer.effect(Pool, Effect.gen(function*() {
  const n = yield* App.scoped()
  yield* n.startSoon(Effect.fail(new DbError()))
  return { size: 1 }
}))
is<Layer.Layer<Pool, never, App>>()(PoolLive)
is<Effect.Effect<never, DbError>>()(App.open(Layer.launch(PoolLive)))

// # Scopes and time limits

is<Effect.Effect<Result.Result<number, CancelScope.CancelReason>, DbError>>()(CancelScope.open(() => db))
is<Effect.Effect<Option.Option<number>, DbError>>()(Timeout.moveOnAfter(db, 1))
is<Effect.Effect<number, DbError | Errors.TooSlow>>()(db.pipe(Timeout.failAfter("1 second", { name: "query" })))
is<Effect.Effect<number, DbError | Errors.TooSlow>>()(Timeout.failAt(db, 1))
is<Effect.Effect<number, DbError, Db>>()(CancelScope.shield(needsDb))
is<Effect.Effect<Option.Option<number>, DbError, Db>>()(needsDb.pipe(CancelScope.shieldFor(1)))
is<Effect.Effect<Option.Option<number>, DbError>>()(CancelScope.untilStopping(db))
// the requirement of a nursery goes through them
is<Effect.Effect<void, DbError>>()(Nursery.open((n) => Effect.asVoid(CancelScope.open(() => Timeout.moveOnAfter(n.startSoon(db), 1)))))

// # Failures

declare const both: Effect.Effect<number, DbError | NetError>
is<Effect.Effect<number | string, NetError>>()(both.pipe(Failures.catchTag("DbError", (errors) => {
  is<readonly [DbError, ...Array<DbError>]>()(errors)
  return Effect.succeed("handled")
})))
const again = Failures.catchTag(both, "DbError", () => Effect.fail("again" as const))
is<Effect.Effect<number, NetError | "again">>()(again)
// @ts-expect-error there is no error of that tag
both.pipe(Failures.catchTag("NoSuchTag", () => Effect.void))
