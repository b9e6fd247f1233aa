/** The engine `trio`: nurseries, scopes, channels and helpers, by the library's public API. */
import { Effect, Exit, Option, Result, Stream } from "effect"
import { CancelScope, CapacityLimiter, Errors, Event, MemoryChannel, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import {
  block,
  bodyOf,
  checkpoint,
  CorpusError,
  errorsOf,
  nowMillis,
  outcomeOf,
  runBody,
  settled,
  type Step,
  Tracer,
  translated,
  tryStatement
} from "./Interpreter.ts"
import { type Body, type Child, type Program, type Statement, statements } from "./Scenario.ts"

/** A nursery of the corpus has a scope of its own; ours stands inside one. */
interface OpenNursery {
  readonly nursery: Nursery.Nursery
  readonly scope: CancelScope.CancelScope
}

/** Where a statement stands: in which task, and begun by which `start`. */
interface Env {
  readonly task: string
  readonly started: ((value: unknown) => Effect.Effect<void>) | undefined
}

type Resource =
  | { readonly kind: "limiter" | "lock"; readonly limiter: CapacityLimiter.CapacityLimiter }
  | { readonly kind: "semaphore"; readonly limiter: CapacityLimiter.CapacityLimiter }

class Interpreter {
  private readonly program: Program
  readonly tracer = new Tracer()
  private readonly events = new Map<string, Event.Event>()
  private readonly senders = new Map<string, MemoryChannel.Sender<unknown>>()
  private readonly receivers = new Map<string, MemoryChannel.Receiver<unknown>>()
  private readonly resources = new Map<string, Resource>()
  private readonly nurseries = new Map<string, OpenNursery>()
  private readonly scopes = new Map<string, CancelScope.CancelScope>()
  /** Cancelled by a statement, entered or not. */
  private readonly cancelled = new Set<string>()
  /** Scopes that some statement names, so that their handle is needed. */
  private readonly targeted = new Set<unknown>()

  constructor(program: Program) {
    this.program = program
    for (const statement of statements(program.body)) {
      if (statement["target"] !== undefined) this.targeted.add(statement["target"])
    }
  }

  readonly main: Effect.Effect<void> = Effect.suspend(() => {
    this.tracer.begin("main")
    const prepared = Effect.andThen(this.tracer.useClock, this.prepare())
    const run = this.taskBody({ task: "main", started: undefined }, this.program.body)
    return Effect.andThen(prepared, Effect.asVoid(Effect.exit(run))).pipe(TaskTree.record(this.tracer.recorder))
  })

  private prepare(): Effect.Effect<void> {
    const { channels = {}, events = [], resources = {} } = this.program
    const { events: made, receivers, resources: kept, senders } = this
    return Effect.gen(function*() {
      for (const name of events) made.set(name, yield* Event.make({ name }))
      for (const [name, capacity] of Object.entries(channels)) {
        const [sender, receiver] = yield* MemoryChannel.make<unknown>(capacity === "inf" ? Infinity : capacity, { name })
        senders.set(name, sender)
        receivers.set(name, receiver)
      }
      for (const [name, { kind, n = 1 }] of Object.entries(resources)) {
        kept.set(name, { kind, limiter: yield* CapacityLimiter.make(n, { name }) })
      }
    })
  }

  /** The whole of a task: its statements, and its end on record. */
  private taskBody(env: Env, body: Body): Step {
    const run = Effect.suspend(() => {
      this.tracer.begin(env.task)
      return Effect.onExit(this.run(env, body), (exit) => Effect.sync(() => this.tracer.end(env.task, outcomeOf(exit))))
    })
    return bodyOf(run)
  }

  private readonly run = (env: Env, body: Body): Step => runBody(body, (statement) => this.statement(env, statement))

  private statement(env: Env, s: Statement): Step {
    const { tracer } = this
    const text = (field: string) => s[field] as string
    const millis = (field: string) => s[field] as number
    switch (s.op) {
      case "log":
        return Effect.sync(() => tracer.record(env.task, "log", s["msg"]))
      case "sleep":
        return checkpoint(millis("ms") === 0 ? Effect.void : Effect.sleep(millis("ms")))
      case "checkpoint":
        return checkpoint(Effect.void)
      case "sleepForever":
        return checkpoint(Effect.never)
      case "fail":
        return Effect.fail(new CorpusError(text("id")))
      case "set":
        return this.events.get(text("event"))!.set
      case "wait":
        return this.recorded(checkpoint(this.events.get(text("event"))!.wait), env, "wait", s["event"])
      case "try":
        return tryStatement(s, env.task, tracer, (body) => this.run(env, body))
      case "nursery":
        return this.nursery(env, s)
      case "spawn":
        return this.spawn(s)
      case "start":
        return this.start(env, s)
      case "started":
        return translated(Effect.suspend(() => env.started!(s["value"])))
      case "scope":
      case "moveOnAfter":
      case "failAfter":
        return this.scope(env, s)
      case "cancel":
        return Effect.suspend(() => {
          this.cancelled.add(text("target"))
          return this.handle(text("target"))?.cancel("the program says so") ?? Effect.void
        })
      case "setDeadline":
        return Effect.flatMap(nowMillis, (now) =>
          this.handle(text("target"))?.setDeadline(s["ms"] === null ? Infinity : now + millis("ms")) ?? Effect.void)
      case "cancelCalled":
        return Effect.sync(() => tracer.record(env.task, "cancelCalled", s["target"], this.cancelCalled(text("target"))))
      case "deadline":
        return Effect.zipWith(CancelScope.effectiveDeadline, nowMillis, (deadline, now) =>
          tracer.record(env.task, "deadline", Option.match(deadline, {
            onNone: () => "none",
            onSome: (at) => at === -Infinity ? "expired" : Math.round(at - now)
          })))
      case "send":
        return this.channel(env, s, "send", checkpoint(this.sender(s).send(s["value"])), s["value"])
      case "sendNowait":
        return this.channel(env, s, "send", noWait(this.sender(s).trySend(s["value"])), s["value"])
      case "recv":
        return this.channel(env, s, "recv", checkpoint(this.receiver(s).receive))
      case "recvNowait":
        return this.channel(env, s, "recv", Effect.flatMap(this.receiver(s).tryReceive, Option.match({
          onNone: () => wouldBlock,
          onSome: (value) => Effect.succeed(value)
        })))
      case "cloneSend":
        return translated(Effect.map(this.sender(s, "ch").clone, (clone) => void this.senders.set(text("handle"), clone)))
      case "cloneRecv":
        return translated(Effect.map(this.receiver(s, "ch").clone, (clone) => void this.receivers.set(text("handle"), clone)))
      case "closeSend":
        return this.sender(s).close
      case "closeRecv":
        return this.receiver(s).close
      case "hold":
        return this.hold(env, s)
      case "setTokens":
        return Effect.suspend(() => this.resources.get(text("resource"))!.limiter.setTotal(millis("n")))
      case "gather":
        return this.gather(env, s)
      case "race":
        return this.race(env, s)
      case "asCompleted":
        return this.asCompleted(env, s)
      default:
        return Effect.die(new Error(`The interpreter does not know the statement \`${s.op}\``))
    }
  }

  private recorded(effect: Step, env: Env, kind: string, ...details: ReadonlyArray<unknown>): Step {
    return Effect.flatMap(effect, () => Effect.sync(() => this.tracer.record(env.task, kind, ...details)))
  }

  private handle(target: string): CancelScope.CancelScope | undefined {
    return this.nurseries.get(target)?.scope ?? this.scopes.get(target)
  }

  private cancelCalled(target: string): boolean {
    if (this.cancelled.has(target) || this.tracer.failedIn.has(target)) return true
    const scope = this.handle(target)
    return scope !== undefined && Option.isSome(scope.reason)
  }

  private nursery(env: Env, s: Statement): Step {
    const name = s["name"] as string
    const open = CancelScope.open((scope) =>
      Nursery.open((nursery) =>
        Effect.suspend(() => {
          this.nurseries.set(name, { nursery, scope })
          return bodyOf(this.run(env, s.body!))
        }), { name }), { name: `scope of ${name}` })
    return Effect.flatMap(settled(block(open as Step)), (exit) => {
      this.tracer.record(env.task, "nursery", name, outcomeOf(exit))
      return Effect.asVoid(exit)
    })
  }

  private spawn(s: Statement): Step {
    return Effect.suspend(() => {
      const task = s["task"] as string
      const { nursery } = this.nurseries.get(s["in"] as string)!
      if (nursery.state !== "ended") this.tracer.begin(task)
      const spawned = nursery.startSoon(this.taskBody({ task, started: undefined }, s.body!), { name: task })
      return translated(spawned as Effect.Effect<unknown>)
    })
  }

  private start(env: Env, s: Statement): Step {
    return Effect.suspend(() => {
      const task = s["task"] as string
      const { nursery } = this.nurseries.get(s["in"] as string)!
      const child = (started: (value: unknown) => Effect.Effect<void>) => this.taskBody({ task, started }, s.body!)
      const ready = translated(block(nursery.start(child, { name: task }) as Step))
      return Effect.flatMap(settled(ready), (exit): Step => {
        if (exit._tag === "Success") this.tracer.record(env.task, "start", task, exit.value)
        else if (errorsOf(exit.cause).length > 0) this.tracer.record(env.task, "start-error", task, errorsOf(exit.cause))
        return Effect.asVoid(exit)
      })
    })
  }

  private scope(env: Env, s: Statement): Step {
    const name = s["name"] as string
    const fails = s.op === "failAfter"
    const limit = (s.op === "scope" ? s["deadline"] : s["ms"]) as number | undefined
    const body = bodyOf(Effect.suspend(() => this.run(env, s.body!)))
    const shielded = s["shield"] === true
    const finish = (exit: Exit.Exit<unknown, CorpusError>, caught: boolean): Step => {
      const failed: Exit.Exit<unknown, CorpusError> = caught && fails && exit._tag === "Success" ? Exit.fail(new CorpusError("TooSlow")) : exit
      this.tracer.record(env.task, "scope", name, caught, outcomeOf(failed))
      return Effect.asVoid(failed)
    }
    if (limit === undefined || shielded || this.targeted.has(name)) {
      const open = CancelScope.open((scope) =>
        Effect.suspend(() => {
          this.scopes.set(name, scope)
          return Effect.andThen(this.cancelled.has(name) ? scope.cancel("before it was entered") : Effect.void, body)
        }), { name, deadline: limit ?? Infinity })
      const run: Effect.Effect<Result.Result<unknown, unknown>, CorpusError> = shielded ? CancelScope.shield(open) : open
      return Effect.flatMap(settled(block(run)), (exit) => finish(Exit.asVoid(exit), this.scopes.get(name)!.cancelledCaught))
    }
    const run: Step = fails ? Timeout.failAfter(body, limit, { name }) as Step : Timeout.moveOnAfter(body, limit, { name })
    return Effect.flatMap(settled(block(run)), (exit) => {
      const caught = this.tracer.caught.has(name)
      const own = caught && exit._tag === "Failure" && exit.cause.reasons.some((reason) =>
        reason._tag === "Fail" && (reason.error as unknown) instanceof Errors.TooSlow)
      return finish(own ? Exit.void : exit, caught)
    })
  }

  private sender(s: Statement, field = "handle"): MemoryChannel.Sender<unknown> {
    return this.senders.get((s[field] ?? s["ch"]) as string)!
  }

  private receiver(s: Statement, field = "handle"): MemoryChannel.Receiver<unknown> {
    return this.receivers.get((s[field] ?? s["ch"]) as string)!
  }

  private channel(env: Env, s: Statement, kind: "send" | "recv", effect: Effect.Effect<unknown, unknown>, sent?: unknown): Step {
    return Effect.flatMap(settled(translated(effect)), (exit): Step => {
      if (exit._tag === "Success") this.tracer.record(env.task, kind, s["ch"], kind === "send" ? sent : exit.value)
      else for (const id of errorsOf(exit.cause)) this.tracer.record(env.task, `${kind}-error`, s["ch"], id)
      return Effect.asVoid(exit)
    })
  }

  private hold(env: Env, s: Statement): Step {
    return Effect.suspend(() => {
      const name = s["resource"] as string
      const { kind, limiter } = this.resources.get(name)!
      const body = Effect.suspend(() => {
        this.tracer.record(env.task, "acquired", name)
        return Effect.onExit(bodyOf(this.run(env, s.body!)), () => Effect.sync(() => this.tracer.record(env.task, "released", name)))
      })
      // In a scope, so that what comes out of the body is taken before a cancellation is.
      const inside = Effect.flatMap(CancelScope.open(() => body), (result) =>
        Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.die(result.failure))
      const held = kind === "semaphore"
        ? Effect.scoped(Effect.andThen(limiter.acquireFor({}), inside))
        : limiter.withToken(inside)
      return translated(checkpoint(held as Step))
    })
  }

  private children(s: Statement): ReadonlyArray<readonly [task: string, body: Step]> {
    return (s["children"] as ReadonlyArray<Child>).map(({ body, task }) => {
      this.tracer.begin(task)
      return [task, this.taskBody({ task, started: undefined }, body)]
    })
  }

  /** Runs a helper, and puts on record those children that it never started: it was cancelled while it began. */
  private helper(env: Env, s: Statement, run: Step, event: (exit: Exit.Exit<unknown, CorpusError>) => ReadonlyArray<unknown>): Step {
    return Effect.flatMap(settled(block(run)), (exit) => {
      for (const { task } of s["children"] as ReadonlyArray<Child>) this.tracer.end(task, "cancelled")
      this.tracer.record(env.task, s.op, s["name"], ...event(exit))
      return Effect.asVoid(exit)
    })
  }

  private gather(env: Env, s: Statement): Step {
    return Effect.suspend(() =>
      this.helper(env, s, Tasks.gather(this.children(s).map(([, body]) => body)), (exit) =>
        exit._tag === "Success" ? ["ok", exit.value] : [outcomeOf(exit)]))
  }

  private race(env: Env, s: Statement): Step {
    return Effect.suspend(() => {
      const contestants = this.children(s).map(([task, body]) => Effect.map(body, (value) => [task, value] as const))
      const run = s["mode"] === "completion" ? Tasks.firstCompleted(contestants) : Tasks.firstSuccess(contestants)
      return this.helper(env, s, run, (exit) =>
        exit._tag === "Success" ? ["ok", ...(exit.value as readonly [string, unknown])] : [outcomeOf(exit)])
    })
  }

  private asCompleted(env: Env, s: Statement): Step {
    return Effect.suspend(() => {
      const children = this.children(s)
      const run = Tasks.asCompleted(children.map(([, body]) => body)).pipe(
        Stream.runForEach(({ exit, index }) => {
          if (exit._tag === "Failure") return Effect.asVoid(exit)
          this.tracer.record(env.task, "completed", s["name"], children[index]![0], exit.value)
          return Effect.void
        })
      )
      return this.helper(env, s, run, (exit) => [outcomeOf(exit)])
    })
  }
}

const wouldBlock = Effect.fail(new CorpusError("WouldBlock"))

const noWait = (sent: Effect.Effect<boolean, unknown>): Effect.Effect<void, unknown> =>
  Effect.flatMap(sent, (done) => done ? Effect.void : wouldBlock)

/** The program of a scenario, and the trace that it writes. */
export const interpret = (program: Program): { readonly main: Effect.Effect<void>; readonly tracer: Tracer } => {
  const interpreter = new Interpreter(program)
  return { main: interpreter.main, tracer: interpreter.tracer }
}
