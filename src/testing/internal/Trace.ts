/**
 * What happened in one run, step by step, for people: which task did what, where
 * it was made to pause, what it waited for.
 */
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import { Place, roots } from "../../core/internal/Block.ts"
import type { BlockView, MemberView, Recorder, WaitView } from "../../core/internal/Recorder.ts"
import type { Wait } from "../../core/internal/Wait.ts"
import type { CancelReason } from "../../core/CancelScope.ts"
import type { AnyFiber, Watcher } from "./ScheduleRun.ts"
import type { Question } from "./Strategy.ts"

export interface Line {
  /** The task; `""` for time. */
  readonly who: string
  readonly what: string
  /** Here the schedule differs from the usual order. */
  readonly isDeviation: boolean
}

const evaluate = "~effect/Effect/evaluate"
const identifier = "~effect/Effect/identifier"
const args = "~effect/Effect/args"

interface Primitive {
  readonly [identifier]?: string
  readonly [args]?: unknown
}

/** A function in one line, as far as it fits. */
const sourceOf = (f: unknown): string => {
  const text = String(f).replaceAll(/^\s*\/\/.*$/gm, "").replaceAll(/\s+/g, " ").replace(/^(\(\)|_) => /, "")
  // What Effect.never registers.
  if (text === "value") return "for ever"
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

const objectText = (value: object): string => {
  // Effect's own objects print themselves as JSON.
  const text = String(value).replaceAll(/\s+/g, " ").replaceAll(/"(\w+)":/g, "$1:")
  return text.startsWith("[object ") ? `{${value.constructor?.name ?? ""}}` : text
}

export const short = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : typeof value === "object" && value !== null
    ? Array.isArray(value) ? `[${value.map(short).join(", ")}]` : objectText(value)
    : typeof value === "function" ? "function" : String(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

const outcome = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return exit.value === undefined ? "succeeds" : `succeeds with ${short(exit.value)}`
  const errors = exit.cause.reasons.flatMap((reason) =>
    reason._tag === "Fail" ? [`fails with ${reason.error instanceof Error ? reason.error.message || reason.error.name : short(reason.error)}`]
      : reason._tag === "Die" ? [`dies with ${reason.defect instanceof Error ? reason.defect.message : short(reason.defect)}`]
      : []
  )
  return errors.length === 0 ? "is cancelled" : errors.join(" and ")
}

const titleOf = (block: BlockView): string => block.name === block.kind ? block.kind : `${block.kind} ${block.name}`

export class Trace implements Watcher, Recorder {
  readonly lines: Array<Line> = []
  /** Fibers of Effect's own operators, and whether each waits. */
  private readonly outside = new Map<AnyFiber, string>()
  private readonly sleeps = new WeakMap<object, number>()
  private readonly ours = new WeakSet<object>()
  private over = false
  private readonly others = new Map<AnyFiber, string>()
  /** The name of a fiber: that of its task, or a number if an operator of Effect forked it. */
  nameOf(fiber: AnyFiber): string {
    const known = this.others.get(fiber)
    if (known !== undefined) return known
    const place = fiber.getRef(Place)
    if (place !== undefined && (place.fiber === fiber || place.fiber === undefined)) return place.task
    const isMain = place === undefined && this.others.size === 0
    const name = isMain ? "main" : `${place === undefined ? "" : `${place.task} / `}fiber ${this.others.size + 1}`
    this.others.set(fiber, name)
    return name
  }

  private readonly tracer: Tracer.Tracer = {
    ...Tracer.make({ span: (options) => new Tracer.NativeSpan(options) }),
    context: (primitive, fiber) => this.evaluate(primitive as never, fiber) as never
  }

  /** With this context a program tells of each of its operations. */
  get context(): Context.Context<never> {
    return Context.make(Tracer.Tracer, this.tracer) as Context.Context<never>
  }

  private evaluate(primitive: Primitive & { [evaluate](fiber: AnyFiber): unknown }, fiber: AnyFiber): unknown {
    const kind = primitive[identifier]
    if (!this.others.has(fiber)) this.meet(fiber)
    const who = this.nameOf(fiber)
    const thunk = primitive[args]
    if (kind === "Async") return this.evaluateAsync(primitive, fiber)
    if (kind !== "Sync" || typeof thunk !== "function" || this.ours.has(thunk)) return primitive[evaluate](fiber)
    const noted = Object.create(primitive, {
      [args]: {
        value: () => {
          const value: unknown = thunk()
          const source = sourceOf(thunk)
          const makes = typeof value === "object" && value !== null && /^(new |make\w*\()/.test(source)
          this.add(who, makes ? `makes ${short(value)}` : `${source}${value === undefined ? "" : `  → ${short(value)}`}`)
          return value
        }
      }
    }) as typeof primitive
    return noted[evaluate](fiber)
  }

  /** A fiber that an operator of Effect forked has no hooks that tell when it starts and ends. */
  private meet(fiber: AnyFiber): void {
    const before = this.others.size
    const name = this.nameOf(fiber)
    if (this.others.size === before || name === "main") return
    this.add(name, `starts${spanOf(fiber)}`)
    fiber.addObserver((exit) => this.add(name, outcome(exit)))
  }

  private evaluateAsync(primitive: Primitive & { [evaluate](fiber: AnyFiber): unknown }, fiber: AnyFiber): unknown {
    const { register } = primitive as unknown as { readonly register: object }
    const sleep = this.sleeps.get(register)
    const what = sleep === undefined ? sourceOf(register) : undefined
    const next = primitive[evaluate](fiber)
    // What Effect returns for a fiber that is suspended is no effect.
    const waits = typeof next !== "object" || next === null
    if (!waits || isKnownToWait(fiber)) return next
    if (what !== undefined) this.outside.set(fiber, what)
    this.add(this.nameOf(fiber), what === undefined ? `sleeps for ${sleep} ms` : `waits: ${what}`)
    return next
  }

  /** From here on the program is only taken down. */
  end(): void {
    this.over = true
  }

  /** Those who wait in something of Effect's own, which does not say what it waits for. */
  waitingOutside(): Array<string> {
    return [...this.outside]
      .filter(([fiber]) => fiber.pollUnsafe() === undefined && !isKnownToWait(fiber))
      .map(([fiber, register]) => `${this.nameOf(fiber)}${spanOf(fiber)} is waiting in an operation of Effect: ${register}`)
  }

  private add(who: string, what: string, isDeviation = false): void {
    if (!this.over) this.lines.push({ who, what, isDeviation })
  }

  deviated(question: Question, fiber: AnyFiber | undefined): void {
    if (question === "pause") this.add(this.nameOf(fiber!), "pauses", true)
    else this.add("", question === "turn" ? "the next one is not the one that is ready longest" : "of those due now, not the first", true)
  }

  cancelledHere(fiber: AnyFiber): void {
    this.add(this.nameOf(fiber), "is cancelled here", true)
  }

  willSleep(register: object, millis: number): void {
    this.sleeps.set(register, millis)
  }

  isOurs(step: object): void {
    this.ours.add(step)
  }

  timePassed(millis: number): void {
    this.add("", `time is ${millis} ms`)
  }

  // The hooks of a recorder say what the operations mean.

  opened(block: BlockView): void {
    this.add(nameOfMember(block.parent), `opens ${titleOf(block)}`)
  }
  closed(block: BlockView, exit: Exit.Exit<unknown, unknown>): void {
    this.add(nameOfMember(block.parent), `leaves ${titleOf(block)}, which ${outcome(exit)}`)
  }
  started(member: MemberView): void {
    if (!isBody(member)) this.add(nameOfMember(member), "starts")
  }
  ended(member: MemberView, exit: Exit.Exit<unknown, unknown>): void {
    if (!isBody(member)) this.add(nameOfMember(member), outcome(exit))
  }
  waiting(wait: WaitView): void {
    this.add(nameOfMember(wait.place), `is ${wait.label}`)
  }
  resumed(wait: WaitView): void {
    this.add(nameOfMember(wait.place), `goes on after ${wait.label}`)
  }

  cancelled(target: BlockView | MemberView, reason: CancelReason): void {
    if (!("block" in target)) this.add(titleOf(target), `is told to stop: ${reason.message}`)
    else if (!isBody(target)) this.add(nameOfMember(target), `is told to stop: ${reason.message}`)
  }
}

/** Its task says what it waits for: in one of our primitives, or for a block of its own. */
const isKnownToWait = (fiber: AnyFiber): boolean => {
  const place = fiber.getRef(Place)
  for (let block = place === undefined ? undefined : place.inner ?? place.branches; block !== undefined; block = block.nextBeside) {
    if (block.owner === fiber) return true
  }
  for (let wait = place?.waits; wait !== undefined; wait = wait.beside) if ((wait as Wait).fiber === fiber) return true
  for (const block of roots()) if (block.owner === fiber) return true
  return false
}

const spanOf = (fiber: AnyFiber): string => {
  const { span } = fiber.cache
  return span !== undefined && span._tag === "Span" ? ` (span ${span.name})` : ""
}

// The classes behind the views know the task that a body works for.
const nameOfMember = (member: MemberView | undefined): string =>
  member === undefined ? "main" : (member as MemberView & { readonly task: string }).task

const isBody = (member: MemberView): boolean => member.kind === "body"

/** At most so many lines; the middle is left out of longer ones. */
const mostLines = 120

/** The lines as a table: number, task, what it did; `»` marks where the schedule differs from the usual order. */
export const interleavingText = (lines: ReadonlyArray<Line>): string => {
  const width = Math.min(Math.max(4, ...lines.map(({ who }) => who.length)), 30)
  const digits = String(lines.length).length
  const rows = lines.map(({ isDeviation, what, who }, index) =>
    `${String(index + 1).padStart(digits)} ${isDeviation ? "»" : " "} ${who.padEnd(width)}  ${what}`.trimEnd()
  )
  if (rows.length <= mostLines) return rows.join("\n")
  // What matters is where it goes wrong: the last deviations, and the end.
  const keep = new Set<number>()
  for (let i = 0; i < 10; i++) keep.add(i)
  for (let i = 1; i <= 40; i++) keep.add(rows.length - i)
  for (let i = rows.length - 1; i >= 0 && keep.size < mostLines; i--) {
    if (lines[i]!.isDeviation) for (let near = i - 3; near <= i + 3; near++) keep.add(near)
  }
  const out: Array<string> = []
  for (let i = 0; i < rows.length; i++) {
    if (keep.has(i)) out.push(rows[i]!)
    else if (keep.has(i - 1)) out.push(`${" ".repeat(digits)}   …`)
  }
  return out.join("\n")
}
