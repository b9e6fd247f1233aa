/**
 * The engine `asyncio`, translated: its free tasks are service tasks of one
 * supervised nursery, so that they end with `main` and their failures concern
 * only those who wait for them.
 */
import { Cause, Effect, type Exit, Option, Stream } from "effect"
import { CancelScope, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { block, bodyOf, checkpoint, CorpusError, outcomeOf, runBody, settled, type Step, Tracer, translated, tryStatement } from "./Interpreter.ts"
import type { Body, Child, Program, Statement } from "./Scenario.ts"

type Task = Nursery.Task<unknown, CorpusError>
type Group = Nursery.Nursery

const timeoutError = Effect.fail(new CorpusError("Timeout"))

const resultOf = (exit: Exit.Exit<unknown, CorpusError>): unknown =>
  exit._tag === "Success" ? { value: exit.value } : outcomeOf(exit)

class Interpreter {
  private readonly program: Program
  readonly tracer = new Tracer()
  private readonly tasks = new Map<string, Task>()
  private readonly groups = new Map<string, Group>()
  private root!: Group

  constructor(program: Program) {
    this.program = program
  }

  readonly main: Effect.Effect<void> = Effect.suspend(() => {
    const body = Nursery.supervised((nursery) => {
      this.root = nursery
      return this.taskBody("main", this.program.body)
    }, () => Effect.void)
    return Effect.andThen(this.tracer.useClock, Effect.exit(body)).pipe(Effect.asVoid, TaskTree.record(this.tracer.recorder))
  })

  private taskBody(task: string, body: Body): Step {
    return bodyOf(Effect.suspend(() => {
      this.tracer.begin(task)
      return Effect.onExit(this.run(task, body), (exit) => Effect.sync(() => this.tracer.end(task, outcomeOf(exit))))
    }))
  }

  private readonly run = (task: string, body: Body): Step => runBody(body, (statement) => this.statement(task, statement))

  private statement(task: string, s: Statement): Step {
    const { tracer } = this
    switch (s.op) {
      case "log":
        return Effect.sync(() => tracer.record(task, "log", s["msg"]))
      case "sleep":
        return checkpoint(s["ms"] === 0 ? Effect.void : Effect.sleep(s["ms"] as number))
      case "fail":
        return Effect.fail(new CorpusError(s["id"] as string))
      case "try":
        return tryStatement(s, task, tracer, (body) => this.run(task, body))
      case "task":
        return this.spawn(this.root, s["task"] as string, s.body!)
      case "spawn":
        return Effect.suspend(() => this.spawn(this.groups.get(s["in"] as string)!, s["task"] as string, s.body!, false))
      case "cancelTask":
        return this.cancel(s["target"] as string)
      case "await":
        return this.await(task, s)
      case "gather":
        return this.gather(task, s)
      case "waitTasks":
        return this.waitTasks(task, s)
      case "asCompleted":
        return this.asCompleted(task, s)
      case "waitFor":
        return this.waitFor(task, s)
      case "timeout":
        return this.timeout(task, s)
      case "taskGroup":
        return this.taskGroup(task, s)
      case "shield":
        return this.shield(task, s)
      default:
        return Effect.die(new Error(`The interpreter does not know the statement \`${s.op}\``))
    }
  }

  private spawn(into: Group, task: string, body: Body, service = true): Effect.Effect<Task> {
    this.tracer.begin(task)
    const spawned = into.startSoon(this.taskBody(task, body), { name: task, service })
    return Effect.tap(spawned as Effect.Effect<Task>, (handle) => Effect.sync(() => this.tasks.set(task, handle)))
  }

  private spawnChildren(s: Statement): Effect.Effect<Array<Task>> {
    return Effect.forEach(s["children"] as ReadonlyArray<Child>, ({ body, task }) => this.spawn(this.root, task, body))
  }

  /** `Task.cancel()` does not wait for the end, so somebody else does. */
  private cancel(target: string): Step {
    return Effect.suspend(() => {
      const cancel = this.tasks.get(target)!.cancel("the program says so")
      return this.root.startNow(cancel, { name: `cancel ${target}`, service: true })
    })
  }

  /** Waits for tasks that are cancelled with the one that waits. */
  private owning<A, E>(tasks: ReadonlyArray<Task>, wait: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.onInterrupt(wait, () => Tasks.gather(tasks.map((task) => task.cancel("the one that waited was cancelled"))))
  }

  private await(task: string, s: Statement): Step {
    return Effect.suspend(() => {
      const target = this.tasks.get(s["target"] as string)!
      return Effect.flatMap(checkpoint(this.owning([target], target.await)), (exit): Step => {
        this.tracer.record(task, "await", s["target"], resultOf(exit))
        return s["quiet"] === true ? Effect.void : exit
      })
    })
  }

  private gather(task: string, s: Statement): Step {
    const children = s["children"] as ReadonlyArray<Child>
    if (s["returnExceptions"] === true) {
      return Effect.flatMap(this.spawnChildren(s), (tasks) =>
        Effect.map(checkpoint(this.owning(tasks, Tasks.gatherSettled(tasks.map((one) => one.join)))), (exits) =>
          this.tracer.record(task, "gather", s["name"], "ok", exits.map(resultOf))))
    }
    return Effect.suspend(() => {
      for (const child of children) this.tracer.begin(child.task)
      const run = Tasks.gather(children.map((child) => this.taskBody(child.task, child.body)))
      return Effect.flatMap(settled(block(run)), (exit): Step => {
        if (exit._tag === "Failure") return exit
        this.tracer.record(task, "gather", s["name"], "ok", exit.value.map((value) => ({ value })))
        return Effect.void
      })
    })
  }

  private readonly until = { ALL_COMPLETED: "all", FIRST_COMPLETED: "firstCompleted", FIRST_EXCEPTION: "firstFailure" } as const

  private waitTasks(task: string, s: Statement): Step {
    const options = {
      until: this.until[s["returnWhen"] as keyof typeof this.until],
      timeout: (s["timeout"] as number | undefined) ?? Infinity
    }
    return Effect.flatMap(this.spawnChildren(s), (tasks) =>
      Effect.flatMap(checkpoint(Tasks.wait(tasks, options)), ({ done, pending }): Step => {
        const results = Object.fromEntries(done.map((one) => [one.name, resultOf(Option.getOrThrow(one.poll))]))
        this.tracer.record(task, "waited", s["name"], results, pending.map((one) => one.name).sort())
        return this.afterwards(s, pending)
      }))
  }

  private afterwards(s: Statement, pending: ReadonlyArray<Task>): Step {
    if (s["then"] === "cancel") return checkpoint(Tasks.gather(pending.map((one) => one.cancel("the program says so"))))
    return s["then"] === "join" ? checkpoint(Tasks.wait(pending)) : Effect.void
  }

  private asCompleted(task: string, s: Statement): Step {
    const limit = (s["timeout"] as number | undefined) ?? Infinity
    return Effect.flatMap(this.spawnChildren(s), (tasks) => {
      const all = Tasks.asCompleted(tasks.map((one) => one.join)).pipe(
        Stream.runForEach(({ exit }) => Effect.sync(() => this.tracer.record(task, "completed", s["name"], resultOf(exit))))
      )
      return Effect.flatMap(block(Timeout.moveOnAfter(all, limit)), (ended) => {
        this.tracer.record(task, "asCompleted", s["name"], ended._tag === "Some" ? "ok" : "timeout")
        return ended._tag === "Some" ? Effect.void : this.afterwards(s, tasks)
      })
    })
  }

  private waitFor(task: string, s: Statement): Step {
    return Effect.flatMap(this.spawn(this.root, s["task"] as string, s.body!), (one) => {
      const limited = Timeout.failAfter(this.owning([one], one.await), s["ms"] as number).pipe(
        Effect.catchTag("TooSlow", () => timeoutError)
      )
      return Effect.flatMap(settled(block(limited)), (waited): Step => {
        // Cancelled while it waited: nothing is on record.
        if (waited._tag === "Failure" && Cause.hasInterruptsOnly(waited.cause)) return Effect.asVoid(waited)
        const exit = waited._tag === "Success" ? waited.value : waited
        this.tracer.record(task, "waitFor", s["name"], resultOf(exit))
        return Effect.asVoid(exit)
      })
    })
  }

  private timeout(task: string, s: Statement): Step {
    let expired = () => false
    const body = CancelScope.open((scope) => {
      expired = () => Option.exists(scope.reason, (reason) => reason.source === "deadline")
      return bodyOf(this.run(task, s.body!))
    }, { deadline: s["ms"] as number })
    const run = Effect.flatMap(block(body), (result): Step => result._tag === "Success" ? Effect.void : timeoutError)
    return Effect.flatMap(settled(run), (exit): Step => {
      this.tracer.record(task, "timeout", s["name"], expired(), outcomeOf(exit))
      return Effect.asVoid(exit)
    })
  }

  private taskGroup(task: string, s: Statement): Step {
    const open = Nursery.open((nursery) => {
      this.groups.set(s["name"] as string, nursery)
      return bodyOf(this.run(task, s.body!))
    }, { name: s["name"] as string })
    return Effect.flatMap(settled(translated(block(open))), (exit): Step => {
      this.tracer.record(task, "taskGroup", s["name"], outcomeOf(exit))
      return Effect.asVoid(exit)
    })
  }

  private shield(task: string, s: Statement): Step {
    return Effect.flatMap(this.spawn(this.root, s["task"] as string, s.body!), (inner) =>
      Effect.flatMap(checkpoint(inner.await), (exit): Step => {
        this.tracer.record(task, "shield", s["task"], resultOf(exit))
        return Effect.asVoid(exit)
      }))
  }
}

/** The program of a scenario, and the trace that it writes. */
export const interpret = (program: Program): { readonly main: Effect.Effect<void>; readonly tracer: Tracer } => {
  const interpreter = new Interpreter(program)
  return { main: interpreter.main, tracer: interpreter.tracer }
}
