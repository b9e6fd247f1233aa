/**
 * Bytes that have come from the peer, and the one task that waits for some.
 *
 * It holds bytes for as long as nobody wants them, and asks its source to stop
 * when there are many. A receiver is given its bytes in the step that lets it run
 * and not before: one that was chosen earlier could be cancelled in between, and
 * the bytes with it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Broken, Busy, Closed, type TooLong } from "../../core/Errors.ts"
import type { AnyEffect, AnyExit, AnyFiber } from "../../core/internal/Block.ts"
import { type Step, wakeUp } from "../../core/internal/Cascade.ts"
import { isAboutToPause } from "../../core/internal/Pauses.ts"
import { type Awaited, Wait } from "../../core/internal/Wait.ts"
import { Chunks, type Place } from "./Chunks.ts"
import { chunk, Exactly, Line, pulledChunk, type Store, type Take, Until } from "./Takes.ts"

/** So many bytes are enough for now: one read of the system. */
const many = 65_536
/** From here on more are welcome. Far enough below, so that stopping and going on again is rare. */
const few = 32_768

/** Whatever fills an inbox. */
export interface Source {
  /** Its name in waits and errors, such as `tcp 127.0.0.1:5000`. */
  readonly label: string
  /** Bytes are welcome. The first time it is called when somebody receives for the first time. */
  flow(): void
  /** There are enough. What comes nevertheless is kept. */
  halt(): void
}

type Failed = Exit.Exit<never, any>
type StreamError = Broken | Closed | Busy

/**
 * Bytes that will lie here for a while. A few that are a part of something large (Slab.ts) would keep all of it alive:
 * a byte on each of thousands of connections, hundreds of megabytes.
 */
const frugal = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length * 4 >= bytes.buffer.byteLength) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

export class Inbox implements Awaited, Step, Store {
  private readonly source: Source
  private readonly chunks = new Chunks()
  private wait: Wait | undefined = undefined
  /** What the one who waits wants. */
  private wanted: Take | undefined = undefined
  isFlowing = false
  /** Why no more bytes will come. Those that are there can be received nevertheless. */
  over: "ended" | Failed | undefined = undefined
  /** Then everybody is told so, whatever is there. */
  private closed = false
  // Made when they are used for the first time: most streams use one way to receive, and an idle one none.
  private receiving: Effect.Effect<Option.Option<Uint8Array>, StreamError> | undefined = undefined
  private leaving: Effect.Effect<void> | undefined = undefined

  constructor(source: Source) {
    this.source = source
  }

  get receive(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.receiving ??= this.repeatedly(chunk)
  }

  get label(): string {
    return this.source.label
  }

  get size(): number {
    return this.chunks.size
  }

  receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.taking(() => new Exactly(bytes))
  }

  receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | TooLong> {
    return this.taking(() => new Until(delimiter, options?.maxBytes))
  }

  get streamOfChunks(): Stream.Stream<Uint8Array, StreamError> {
    return Stream.fromPull(Effect.succeed(this.repeatedly(pulledChunk)))
  }

  get streamOfLines(): Stream.Stream<string, StreamError | TooLong> {
    return Stream.fromPull(Effect.succeed(this.taking(() => new Line())))
  }

  /** Gives a take what it wants, each time it is run: one that can be used again. */
  repeatedly(take: Take): AnyEffect {
    const waiting = this.waitFor(take)
    return Effect.withFiber((fiber) => this.begin(fiber, take, waiting))
  }

  // A bad option is a defect of the effect, not an exception where it is made.
  private taking(make: () => Take): AnyEffect {
    return Effect.withFiber((fiber) => this.begin(fiber, make()))
  }

  private begin(fiber: AnyFiber | undefined, take: Take, waiting?: AnyEffect): AnyEffect {
    if (this.closed) return this.refusal
    if (this.wait !== undefined) return this.busy(this.wait)
    if (this.mayHave(take)) {
      // What is taken must reach the caller.
      if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.begin(undefined, take, waiting))
      const exit = take.from(this)
      if (exit !== undefined) {
        if (!this.isFlowing && this.chunks.size <= few && this.over === undefined) this.flow()
        return exit
      }
    }
    return waiting ?? this.waitFor(take)
  }

  private mayHave(take: Take): boolean {
    return this.chunks.size >= take.want || this.over !== undefined
  }

  private waitFor(take: Take): AnyEffect {
    return Effect.callback<any, any>((resume) => {
      // Asked again: a scheduler may have let others run since.
      if (this.closed || this.wait !== undefined || this.mayHave(take)) {
        resume(this.begin(Fiber.getCurrent(), take))
        return undefined
      }
      this.wait = new Wait("receiving from", this, undefined, resume as (effect: AnyEffect) => void)
      this.wanted = take
      if (!this.isFlowing) this.flow()
      return this.left
    })
  }

  // Only one waits, so it needs no effect of its own for leaving.
  private get left(): Effect.Effect<void> {
    return this.leaving ??= Effect.sync(() => {
      this.wait?.leaveNow()
      this.wait = this.wanted = undefined
      this.haltIfMany()
    })
  }

  private flow(): void {
    this.isFlowing = true
    this.source.flow()
  }

  private haltIfMany(): void {
    if (!this.isFlowing || this.chunks.size < many || this.wait !== undefined) return
    this.isFlowing = false
    this.source.halt()
  }

  /** Bytes have come. */
  push(bytes: Uint8Array): void {
    if (this.closed || this.over !== undefined) return
    const isAwaited = this.wanted !== undefined && this.chunks.size + bytes.length >= this.wanted.want
    this.chunks.push(isAwaited ? bytes : frugal(bytes))
    if (isAwaited) wakeUp(this)
    this.haltIfMany()
  }

  /** The peer has sent its end. */
  end(): void {
    if (this.over !== undefined) return
    this.over = "ended"
    if (this.wait !== undefined) wakeUp(this)
  }

  /** The world has broken it: told when the bytes that came before have been received. */
  fail(error: Broken): void {
    if (this.over !== undefined) return
    this.over = Exit.fail(error)
    if (this.wait !== undefined) wakeUp(this)
  }

  /** Its own user has closed it: told at once. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.chunks.clear()
    if (this.wait !== undefined) wakeUp(this)
  }

  /** Gives the one who waits what it wants, if it is still there and that has come. */
  run(): void {
    const { wait, wanted } = this
    if (wait === undefined) return
    const exit: AnyExit | undefined = this.closed ? this.refusal : wanted!.from(this)
    if (exit === undefined) return
    this.wait = this.wanted = undefined
    wait.resumeNow(exit)
  }

  // Made when it is asked for: most streams are closed and never asked again, and an error takes its time.
  private get refusal(): AnyExit {
    return Exit.fail(new Closed({ what: this.label }))
  }

  private busy(wait: Wait): AnyExit {
    return Exit.fail(new Busy({ what: `the receiving half of ${this.label}`, holder: wait.place?.task ?? "main" }))
  }

  /** The peer's end came in the middle of something, or at its beginning, where it is a value. */
  cutShort(where: string | AnyExit): AnyExit {
    if (typeof this.over === "object") return this.over
    if (typeof where !== "string") return where
    return Exit.fail(new Broken({ what: this.label, cause: new Error(`the peer sent its end ${where}`) }))
  }

  shift(): Uint8Array {
    return this.chunks.shift()
  }

  take(bytes: number): Uint8Array {
    return this.chunks.take(bytes)
  }

  takeAll(): Uint8Array {
    return this.chunks.take(this.chunks.size)
  }

  drop(bytes: number): void {
    this.chunks.drop(bytes)
  }

  find(delimiter: Uint8Array, place: Place): boolean {
    return this.chunks.find(delimiter, place)
  }

  byteAt(index: number): number | undefined {
    return this.chunks.at(index)
  }
}
