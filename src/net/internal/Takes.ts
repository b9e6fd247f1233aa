/** What a receiver wants out of an inbox: some bytes, so many, a line … */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { TooLong } from "../../core/Errors.ts"
import type { AnyExit } from "../../core/internal/Block.ts"
import { countOf } from "../../core/internal/Count.ts"
import type { Place } from "./Chunks.ts"

/** What it is taken out of. */
export interface Store {
  /** Whose bytes they are, for errors: `tcp 127.0.0.1:5000`. */
  readonly label: string
  /** How many bytes are there. */
  readonly size: number
  /** Why no more will come; `undefined` while more may. */
  readonly over: "ended" | Exit.Exit<never, any> | undefined
  /** The first piece, as it came. There must be one. */
  shift(): Uint8Array
  take(bytes: number): Uint8Array
  drop(bytes: number): void
  find(delimiter: Uint8Array, place: Place): boolean
  byteAt(index: number): number | undefined
  /** What somebody is told who wanted more than came, whatever ended it: `where` that was, or what it is told at an end in good order. */
  cutShort(where: string | AnyExit): AnyExit
}

export interface Take {
  /** How many bytes there must be before it is worth trying. */
  readonly want: number
  /** Takes what it wants; `undefined` when more has to come first. */
  from(store: Store): AnyExit | undefined
}

const nothing: AnyExit = Exit.succeed(Option.none())
const done: AnyExit = Exit.fail(Cause.Done())

/** No byte will come any more: the end, or what broke the stream. */
export const overOf = (store: Store, atEnd: AnyExit): AnyExit | undefined => {
  const { over } = store
  return over === undefined ? undefined : over === "ended" ? atEnd : over
}

/** Whatever comes next. */
export const chunk: Take = {
  want: 1,
  from: (store) => store.size > 0 ? Exit.succeed(Option.some(store.shift())) : overOf(store, nothing)
}

/** The same for a pull of a `Stream`. One piece at a time: who leaves the stream loses nothing. */
export const pulledChunk: Take = {
  want: 1,
  from: (store) => store.size > 0 ? Exit.succeed([store.shift()]) : overOf(store, done)
}

const bytes = (count: number): string => count === 1 ? "1 byte" : `${count} bytes`

export class Exactly implements Take {
  readonly want: number

  constructor(count: number) {
    this.want = countOf("bytes", count)
    if (count === Infinity) throw new RangeError("Expected `bytes` to be finite, got `Infinity` (number)")
  }

  from(store: Store): AnyExit | undefined {
    if (store.size >= this.want) return Exit.succeed(Option.some(store.take(this.want)))
    return overOf(store, nothing) && store.cutShort(store.size === 0 ? nothing : `after ${store.size} of ${bytes(this.want)}`)
  }
}

const encoder = new TextEncoder()
export const defaultMaxBytes = 65_536

abstract class Searching implements Take {
  want = 1
  protected readonly delimiter: Uint8Array
  protected readonly maxBytes: number
  private readonly place: Place = { piece: 0, offset: 0, before: 0 }

  constructor(delimiter: string | Uint8Array, maxBytes: number) {
    this.delimiter = typeof delimiter === "string" ? encoder.encode(delimiter) : delimiter
    if (this.delimiter.length === 0) throw new RangeError("Expected `delimiter` to have at least one byte, got an empty one")
    this.maxBytes = countOf("maxBytes", maxBytes)
  }

  from(store: Store): AnyExit | undefined {
    // Others take nothing while this one waits, so the place stays good.
    const found = store.find(this.delimiter, this.place)
    const { before } = this.place
    if (found) {
      return before > this.maxBytes && this.isTooLong(store, before) ? this.tooLong(store) : this.found(store, before)
    }
    const over = overOf(store, nothing)
    if (over !== undefined) return over === nothing && store.size > this.maxBytes ? this.tooLong(store) : this.unfinished(store)
    if (before > this.maxBytes && this.isTooLong(store, before)) return this.tooLong(store)
    this.want = store.size + 1
    return undefined
  }

  protected isTooLong(_store: Store, _length: number): boolean {
    return true
  }

  protected abstract readonly thing: string
  protected abstract found(store: Store, length: number): AnyExit
  protected abstract unfinished(store: Store): AnyExit

  private tooLong(store: Store): AnyExit {
    return Exit.fail(new TooLong({ what: `${this.thing} from ${store.label}`, limit: this.maxBytes }))
  }
}

const shown = (delimiter: string | Uint8Array): string => typeof delimiter === "string" ? JSON.stringify(delimiter) : `[${delimiter.join(", ")}]`

/** The bytes before a delimiter. */
export class Until extends Searching {
  private readonly shown: string

  constructor(delimiter: string | Uint8Array, maxBytes: number = defaultMaxBytes) {
    super(delimiter, maxBytes)
    this.shown = shown(delimiter)
  }

  protected get thing(): string {
    return `what ends with ${this.shown}`
  }

  protected found(store: Store, length: number): AnyExit {
    const frame = store.take(length)
    store.drop(this.delimiter.length)
    return Exit.succeed(Option.some(frame))
  }

  protected unfinished(store: Store): AnyExit {
    return store.cutShort(store.size === 0 ? nothing : `after ${bytes(store.size)} without ${this.shown}`)
  }
}

const newline = encoder.encode("\n")
const carriageReturn = 13

// A byte order mark is text like any other.
const text = new TextDecoder("utf-8", { ignoreBOM: true })

/** A line for a pull of a `Stream`: up to `\n` or `\r\n`, or the rest. */
export class Line extends Searching {
  constructor() {
    super(newline, defaultMaxBytes)
  }

  protected get thing(): string {
    return "a line"
  }

  // The `\r` of the end does not count.
  protected override isTooLong(store: Store, length: number): boolean {
    return length > this.maxBytes + 1 || store.byteAt(this.maxBytes) !== carriageReturn
  }

  protected found(store: Store, length: number): AnyExit {
    const line = store.take(length)
    store.drop(1)
    const end = line[length - 1] === carriageReturn ? length - 1 : length
    return Exit.succeed([text.decode(line.subarray(0, end))])
  }

  protected unfinished(store: Store): AnyExit {
    const { over, size } = store
    if (size > 0 && over === "ended") return Exit.succeed([text.decode(store.take(size))])
    return over === "ended" ? done : over!
  }
}
