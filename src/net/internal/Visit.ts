/** One connection to a server, and the task that its handler runs in. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AnyEffect, Block } from "../../core/internal/Block.ts"
import { TaskMember } from "../../core/internal/TaskMember.ts"
import { nameOf } from "./AddressText.ts"
import type { Connection } from "./Transport.ts"

/** Who is told that it has ended. */
export interface Host extends Block {
  /** Runs the handler. What it throws is a defect of the connection. */
  handle(visit: Visit): AnyEffect
  visitEnded(visit: Visit): void
  drop(connection: Connection): void
  /** Its handler is about to get this stream. */
  uses(stream: Connection): AnyEffect | undefined
  /** Runs something beside the handlers that nobody waits for. */
  beside(name: string, effect: Effect.Effect<void>): void
}

export class Visit extends TaskMember {
  declare private readonly host: Host
  declare readonly connection: Connection
  declare private readonly index: number
  /** What the handler got: the connection, or what TLS made of it. */
  declare stream: Connection | undefined
  /** Its end has closed the connection, or is about to. */
  declare private isLeaving: boolean

  constructor(host: Host, connection: Connection, context: Context.Context<never> | undefined, number: number) {
    super(host, undefined!, context, number, undefined)
    this.host = host
    this.connection = connection
    this.index = number
    this.stream = undefined
    this.isLeaving = false
    this.effect = Effect.onExit(Effect.suspend(() => host.handle(this)), () => this.leave)
  }

  // However the handler ended. A cancelled one has no time for a peer that is slow to take the rest, and one that is
  // cancelled now gives up the rest, too.
  private get leave(): Effect.Effect<void> {
    this.isLeaving = true
    const stream = this.stream ?? this.connection
    if (this.told !== undefined) return stream.abort
    // The cancel may come before the close has begun.
    return Effect.onInterrupt(Effect.interruptible(stream.close), () => stream.abort)
  }

  /** Tells what the handler is about to get. There may be something to do before. */
  uses(stream: Connection): AnyEffect | undefined {
    this.stream = stream
    return this.host.uses(stream)
  }

  beside(what: string, effect: Effect.Effect<void>): void {
    this.host.beside(`${what} of ${this.name}`, effect)
  }

  override get name(): string {
    return nameOf(this.connection.peer) ?? `peer ${this.index}`
  }

  override get ordinal(): number | undefined {
    return undefined
  }

  override ended(): void {
    super.ended()
    // It was cancelled before its first steps, so nobody has closed it.
    if (!this.isLeaving) this.host.drop(this.connection)
    this.host.visitEnded(this)
  }
}
