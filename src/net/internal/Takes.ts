/** What a receiver wants out of an inbox: some bytes, so many, a line … */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { TooLong } from "../../core/Errors.ts"
import type { AnyExit } from "../../core/internal/Block.ts"
import { countOf } from "../../core/internal/Count.ts"
import type { Place } from "./Chunks.ts"
import type { Inbox } from "./Inbox.ts"

export interface Take {
  /** How many bytes there must be before it is worth trying. */
  readonly want: number
  /** Takes what it wants; `undefined` when more has to come first. */
  from(inbox: Inbox): AnyExit | undefined
}

const nothing: AnyExit = Exit.succeed(Option.none())
const done: AnyExit = Exit.fail(Cause.Done())

/** No byte will come any more: the end, or what broke the stream. */
const overOf = (inbox: Inbox, atEnd: AnyExit): AnyExit | undefined => {
  const { over } = inbox
  return over === undefined ? undefined : over === "ended" ? atEnd : over
}

/** Whatever comes next. */
export const chunk: Take = {
  want: 1,
  from: (inbox) => inbox.size > 0 ? Exit.succeed(Option.some(inbox.shift())) : overOf(inbox, nothing)
}

/** The same for a pull of a `Stream`. One piece at a time: who leaves the stream loses nothing. */
export const pulledChunk: Take = {
  want: 1,
  from: (inbox) => inbox.size > 0 ? Exit.succeed([inbox.shift()]) : overOf(inbox, done)
}

const bytes = (count: number): string => count === 1 ? "1 byte" : `${count} bytes`

export class Exactly implements Take {
  readonly want: number

  constructor(count: number) {
    this.want = countOf("bytes", count)
    if (count === Infinity) throw new RangeError("Expected `bytes` to be finite, got `Infinity` (number)")
  }

  from(inbox: Inbox): AnyExit | undefined {
    if (inbox.size >= this.want) return Exit.succeed(Option.some(inbox.take(this.want)))
    return overOf(inbox, nothing) && inbox.cutShort(inbox.size === 0 ? nothing : `after ${inbox.size} of ${bytes(this.want)}`)
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

  from(inbox: Inbox): AnyExit | undefined {
    // Others take nothing while this one waits, so the place stays good.
    const found = inbox.find(this.delimiter, this.place)
    const { before } = this.place
    if (found) {
      return before > this.maxBytes && this.isTooLong(inbox, before) ? this.tooLong(inbox) : this.found(inbox, before)
    }
    const over = overOf(inbox, nothing)
    if (over !== undefined) return over === nothing && inbox.size > this.maxBytes ? this.tooLong(inbox) : this.unfinished(inbox)
    if (before > this.maxBytes && this.isTooLong(inbox, before)) return this.tooLong(inbox)
    this.want = inbox.size + 1
    return undefined
  }

  protected isTooLong(_inbox: Inbox, _length: number): boolean {
    return true
  }

  protected abstract readonly thing: string
  protected abstract found(inbox: Inbox, length: number): AnyExit
  protected abstract unfinished(inbox: Inbox): AnyExit

  private tooLong(inbox: Inbox): AnyExit {
    return Exit.fail(new TooLong({ what: `${this.thing} from ${inbox.label}`, limit: this.maxBytes }))
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

  protected found(inbox: Inbox, length: number): AnyExit {
    const frame = inbox.take(length)
    inbox.drop(this.delimiter.length)
    return Exit.succeed(Option.some(frame))
  }

  protected unfinished(inbox: Inbox): AnyExit {
    return inbox.cutShort(inbox.size === 0 ? nothing : `after ${bytes(inbox.size)} without ${this.shown}`)
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
  protected override isTooLong(inbox: Inbox, length: number): boolean {
    return length > this.maxBytes + 1 || inbox.byteAt(this.maxBytes) !== carriageReturn
  }

  protected found(inbox: Inbox, length: number): AnyExit {
    const line = inbox.take(length)
    inbox.drop(1)
    const end = line[length - 1] === carriageReturn ? length - 1 : length
    return Exit.succeed([text.decode(line.subarray(0, end))])
  }

  protected unfinished(inbox: Inbox): AnyExit {
    const { over, size } = inbox
    if (size > 0 && over === "ended") return Exit.succeed([text.decode(inbox.take(size))])
    return over === "ended" ? done : over!
  }
}
