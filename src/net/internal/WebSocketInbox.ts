/**
 * Messages that have come from the peer, and the one task that waits for some.
 *
 * As the inbox of bytes: when much lies in it the source is asked to stop, and a
 * receiver is given its message in the step that lets it run and not before.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Busy } from "../../core/Errors.ts"
import type { AnyEffect, AnyExit, AnyFiber } from "../../core/internal/Block.ts"
import { type Step, wakeUp } from "../../core/internal/Cascade.ts"
import { isAboutToPause } from "../../core/internal/Pauses.ts"
import { Ring } from "../../core/internal/Ring.ts"
import { type Awaited, Wait } from "../../core/internal/Wait.ts"

type Message = string | Uint8Array

/** Whatever fills it. */
export interface MessageSource {
  readonly label: string
  flow(): void
  halt(): void
}

/** What a message takes beside its bytes, so that empty ones count, too. */
const overhead = 64

const costOf = (message: Message): number => message.length + overhead

const nothing: AnyExit = Exit.succeed(Option.none())

export class WebSocketInbox implements Awaited, Step {
  private declare readonly source: MessageSource
  private declare readonly limit: number
  private declare readonly messages: Ring<Message>
  private declare cost: number
  private declare wait: Wait | undefined
  private declare halted: boolean
  /** What a receiver is told when nothing is left, and nothing more will come. */
  private declare over: AnyExit | undefined
  /** What everybody is told, whatever is there. */
  private declare closed: AnyExit | undefined

  constructor(source: MessageSource, limit: number) {
    this.source = source
    this.limit = limit
    this.messages = new Ring()
    this.cost = 0
    this.wait = undefined
    this.halted = false
    this.over = undefined
    this.closed = undefined
  }

  get label(): string {
    return this.source.label
  }

  get size(): number {
    return this.messages.length
  }

  /** It has asked its source to stop. */
  get isFull(): boolean {
    return this.halted
  }

  get receive(): AnyEffect {
    return Effect.withFiber((fiber) => this.begin(fiber))
  }

  private begin(fiber: AnyFiber | undefined): AnyEffect {
    if (this.closed !== undefined) return this.closed
    if (this.wait !== undefined) return Exit.fail(new Busy({ what: `receiving from ${this.label}`, holder: holderOf(this.wait) }))
    if (this.messages.length === 0) return this.over ?? this.waiting
    // What is taken must reach the caller.
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.begin(undefined))
    return Exit.succeed(Option.some(this.take()))
  }

  private get waiting(): AnyEffect {
    return Effect.callback<any, any>((resume) => {
      // Asked again: a scheduler may have let others run since.
      if (this.closed !== undefined || this.wait !== undefined || this.messages.length > 0 || this.over !== undefined) {
        resume(this.begin(Fiber.getCurrent()))
        return undefined
      }
      const wait = this.wait = new Wait("receiving from", this, undefined, resume as (effect: AnyEffect) => void)
      return Effect.sync(() => {
        wait.leaveNow()
        if (this.wait === wait) this.wait = undefined
      })
    })
  }

  private take(): Message {
    const message = this.messages.shift()
    this.cost -= costOf(message)
    if (this.halted && this.cost * 2 <= this.limit) this.flow()
    return message
  }

  private flow(): void {
    this.halted = false
    this.source.flow()
  }

  push(message: Message): void {
    if (this.over !== undefined || this.closed !== undefined) return
    this.messages.push(message)
    this.cost += costOf(message)
    if (this.wait !== undefined) wakeUp(this)
    if (!this.halted && this.cost > this.limit) {
      this.halted = true
      this.source.halt()
    }
  }

  /** Nothing more will come; what is there can be received nevertheless. */
  end(over: AnyExit = nothing): void {
    if (this.over !== undefined) return
    this.over = over
    if (this.wait !== undefined) wakeUp(this)
    // What stops the source is over, too: it has to see the peer's close.
    if (this.halted) this.flow()
  }

  /** Nobody wants what is there. */
  close(closed: AnyExit): void {
    if (this.closed !== undefined) return
    this.closed = closed
    this.messages.clear()
    this.cost = 0
    if (this.wait !== undefined) wakeUp(this)
    if (this.halted) this.flow()
  }

  /** The receiver goes on. */
  run(): void {
    const { wait } = this
    if (wait === undefined) return
    const exit = this.closed ?? (this.messages.length > 0 ? undefined : this.over)
    if (exit === undefined && this.messages.length === 0) return
    this.wait = undefined
    wait.resumeNow(exit ?? Exit.succeed(Option.some(this.take())))
  }
}

const holderOf = (wait: Wait): string => wait.place?.task ?? `fiber #${wait.fiber.id}`
