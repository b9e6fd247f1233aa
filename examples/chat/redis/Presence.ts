/**
 * Who is here, as far as this process knows, and the heartbeat by which the others know that it lives. With each beat it
 * looks for processes that do not: whoever finds one first says goodbye for its users.
 */
import { Effect } from "effect"
import type { Seq, Stored, Token, Unavailable } from "../Bus.ts"
import { keyOf, type Name } from "../Names.ts"
import type { Connection } from "./Connection.ts"
import * as Scripts from "./Scripts.ts"
import type { Tail } from "./Tail.ts"

/** A user who is connected at this process. */
export interface Own {
  readonly shown: string
  readonly key: string
  readonly room: string
  /** How long they may be away, in milliseconds. */
  readonly grace: number
}

/** Several times in the time after which a process counts as dead. */
export const beatsPerLife = 5

export class Presence {
  private readonly connection: Connection
  private readonly common: Scripts.Common
  private readonly own = new Map<Token, Own>()
  /** Who has left while Redis was away. */
  private readonly toLeave = new Set<Token>()
  /** The words by which our connections ask to resume. */
  private readonly resuming = new Set<string>()
  private isReached = true

  constructor(connection: Connection, common: Scripts.Common) {
    this.connection = connection
    this.common = common
  }

  /** A user is connected here. */
  arrive(token: Token, { key, shown }: Pick<Name, "key" | "shown">, room: string, grace: number): void {
    this.own.set(token, { shown, key, room, grace })
  }

  /** Their connection is lost. */
  lose(token: Token): void {
    this.own.delete(token)
  }

  /** The user is gone. If Redis cannot be told now, it is told later. */
  leave(token: Token): Effect.Effect<void, Unavailable> {
    return Effect.suspend(() => {
      this.own.delete(token)
      this.toLeave.add(token)
      return this.connection.run(Scripts.leave, this.common, token).pipe(
        Effect.andThen(Effect.sync(() => void this.toLeave.delete(token)))
      )
    })
  }

  /** While it runs, the user who resumes with this word does so here. */
  resumes<A, E>(by: string, resume: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.resuming.add(by)),
      () => resume,
      () => Effect.sync(() => void this.resuming.delete(by))
    )
  }

  /** Keeps up with what happens to our users. */
  follow({ event }: Stored): void {
    const own = this.own.get(event.token)
    if (own === undefined) return
    if (event._tag === "Renamed") this.own.set(event.token, { ...own, shown: event.name, key: keyOf(event.name) })
    else if (event._tag === "Moved") this.own.set(event.token, { ...own, room: event.room })
    else if (event._tag === "Left" || (event._tag === "Resumed" && !this.resuming.has(event.by))) this.own.delete(event.token)
  }

  /** One beat. Gives the users who have to be told that they are gone. */
  beat(tail: Tail): Effect.Effect<ReadonlyArray<Stored>, Unavailable> {
    return Effect.gen({ self: this }, function*() {
      const { common, connection } = this
      for (const token of this.toLeave) yield* this.leave(token)
      let wasAlive: 0 | 1 = 1
      let isMore: 0 | 1 = 1
      for (let round = 0; isMore === 1; round++) {
        const answer = yield* connection.run(Scripts.beat, common)
        if (round === 0) wasAlive = answer[0]
        isMore = answer[1]
      }
      return wasAlive === 1 || this.own.size === 0 ? [] : yield* this.comeBack(tail)
    })
  }

  /** The others took us for dead, or Redis has lost what it knew. */
  private comeBack(tail: Tail): Effect.Effect<ReadonlyArray<Stored>, Unavailable> {
    return Effect.gen({ self: this }, function*() {
      // First everything that the log tells of it: those for whom the others have said goodbye are gone.
      const last = yield* tail.last
      yield* tail.until(last)
      yield* Effect.logWarning("this process was taken for dead, or the bus has forgotten it: its users are registered again")
      const users = [...this.own].flatMap(([token, { grace, key, room, shown }]) => [token, shown, key, room, grace])
      const gone = yield* this.connection.run(Scripts.restore, this.common, ...users)
      return gone.flatMap((token, index) => {
        const own = this.own.get(token)
        this.own.delete(token)
        return own === undefined ? [] : [leftUnseen(token, own, last, index)]
      })
    })
  }

  /** The task that beats. */
  run(tail: Tail, deliver: (events: ReadonlyArray<Stored>) => void): Effect.Effect<never> {
    return this.beat(tail).pipe(
      Effect.matchEffect({
        onFailure: () => this.reached(false),
        onSuccess: (gone) => Effect.andThen(this.reached(true), Effect.sync(() => gone.length > 0 && deliver(gone)))
      }),
      Effect.andThen(Effect.sleep(this.common.deadAfter / beatsPerLife)),
      Effect.forever({ disableYield: true })
    )
  }

  private reached(isReached: boolean): Effect.Effect<void> {
    if (this.isReached === isReached) return Effect.void
    this.isReached = isReached
    return isReached ? Effect.logInfo("the bus is back") : Effect.logWarning("the bus cannot be reached: nothing is accepted until it is back")
  }

  /** This process ends. Whoever is left here leaves. */
  readonly depart: Effect.Effect<void, Unavailable> = Effect.suspend(() =>
    Effect.forEach(this.toLeave, (token) => this.leave(token), { discard: true }).pipe(
      Effect.andThen(Effect.repeat(this.connection.run(Scripts.depart, this.common), { until: (isMore) => isMore === 0 })),
      Effect.asVoid
    )
  )
}

/** Not in the log, so its place is one that the log does not have. */
const leftUnseen = (token: Token, { room, shown }: Own, last: Seq, index: number): Stored => ({
  seq: `${last}.${index}`,
  at: Date.now(),
  event: { _tag: "Left", token, name: shown, room }
})
