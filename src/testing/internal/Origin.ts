/** Who made something: the task that ran, and the line of the program. */
import * as Fiber from "effect/Fiber"
import { type AnyFiber, type Member, Place } from "../../core/internal/Block.ts"

/** How many frames are taken: Effect's own may stand between a program and what it starts. */
const frames = 60

/** Where the modules of this library are: `src/`, or `dist/` of the package. */
const ownFolder = new URL("../../", import.meta.url).href
const ownPath = new URL(ownFolder).pathname

// In files of Effect a program does nothing by itself.
const ofEffect = /[\\/]node_modules[\\/]effect[\\/]/
const ofPackages = /[\\/]node_modules[\\/]/
const ofTimers = /\(?node:(?:internal\/timers|timers|internal\/async_hooks|async_hooks):/
const ofTimerPromises = /node:(?:internal\/)?timers\/promises:/

/** A line of a stack: who it belongs to. */
type Owner = "program" | "package" | "effect" | "library" | "host"

const ownerOf = (line: string): Owner => {
  if (/\(?node:/.test(line) || line.includes("(<anonymous>)") || !/:\d+/.test(line)) return "host"
  if (ofEffect.test(line)) return "effect"
  if (line.includes(ownFolder) || line.includes(ownPath)) return "library"
  return ofPackages.test(line) ? "package" : "program"
}

const placeIn = (line: string): string => {
  const inside = /\(([^()]*:\d+:\d+)\)\s*$/.exec(line)?.[1] ?? line.trim().replace(/^at (?:async )?/, "")
  const file = inside.replace(/^file:\/\//, "").replace(/\?[^:]*/, "")
  const folder = `${globalThis.process?.cwd?.() ?? ""}/`
  return file.startsWith(folder) ? file.slice(folder.length) : file
}

/** `nursery chat > reader`: the blocks and tasks around a member, from the outside in. */
export const pathOf = (place: Member | undefined): string => {
  const names: Array<string> = []
  for (let member = place; member !== undefined; member = member.block.parent) {
    if (!member.isBody) names.push(member.name)
    const { kind, name } = member.block
    names.push(kind === name ? kind : `${kind} ${name}`)
  }
  return names.length === 0 ? "main" : names.reverse().join(" > ")
}

/** The frame that `Effect.fn` keeps of the function that runs. */
interface Frame {
  readonly name: string
  readonly stack: () => string | undefined
}

/** What is known of whoever asked for something: where no fiber runs, in a timer, after an `await`. */
export interface Known {
  readonly fiber?: AnyFiber | undefined
  readonly place: Member | undefined
  readonly at: string | undefined
}

export class Origin implements Known {
  /** The fiber that made it. */
  readonly fiber: AnyFiber | undefined
  readonly place: Member | undefined
  private readonly frame: Frame | undefined
  private readonly error: Error
  private readonly known: Known | undefined

  constructor(known: Known | undefined, fiber: AnyFiber | undefined = Fiber.getCurrent()) {
    this.fiber = fiber ?? known?.fiber
    this.place = fiber?.getRef(Place) ?? known?.place
    this.frame = this.fiber?.cache.stackFrame
    this.known = known
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = frames
    this.error = new Error()
    Error.stackTraceLimit = limit
  }

  private get lines(): ReadonlyArray<string> {
    const lines = (this.error.stack ?? "").split("\n").filter((line) => /^\s*at /.test(line))
    // Below that is whoever runs the check, and not who made the thing.
    const end = lines.findIndex((line) => /[\\/]testing[\\/]LeakCheck\.[jt]s/.test(line))
    return end < 0 ? lines : lines.slice(0, end)
  }

  /** The task, as a path of names. */
  get task(): string {
    return pathOf(this.place)
  }

  /** The line of the program, as `file:line:column`, or the function that `Effect.fn` has named. */
  get at(): string | undefined {
    const line = this.lines.find((line) => ownerOf(line) === "program")
    if (line !== undefined) return placeIn(line)
    if (this.frame !== undefined) {
      const frame = this.frame.stack()?.split("\n").find((line) => ownerOf(line) === "program")
      return frame === undefined ? this.frame.name : `${this.frame.name} (${placeIn(frame)})`
    }
    return this.known?.at
  }

  /** Whose code asked for a timer, as far as the stack says it. */
  get timerOwner(): Owner | "unknown" {
    for (const line of this.lines) {
      if (line.includes("/testing/internal/") || ofTimers.test(line) || ofTimerPromises.test(line)) continue
      return ownerOf(line)
    }
    return "unknown"
  }
}
