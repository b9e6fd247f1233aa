/**
 * Reads the log for ever, from where it is when this process begins: each entry once and in order, also over lost connections.
 * That is why it is a stream of Redis, which keeps what is written, and not publish and subscribe, which does not.
 */
import { Effect } from "effect"
import type { Seq, Stored, Unavailable } from "../Bus.ts"
import type { Connection } from "./Connection.ts"
import * as Entries from "./Entries.ts"
import * as Seqs from "./Seqs.ts"

/** So many entries are taken at once. */
const most = "1000"

/** Before another connection is taken. */
const pause = "50 millis"

interface Waiter {
  readonly seq: Seq
  readonly wake: () => void
}

export class Tail {
  private readonly connection: Connection
  private readonly log: string
  /** Redis answers after so long when nothing has happened, in milliseconds: then the connection is not dead. */
  private readonly block: number
  private readonly deliver: (events: ReadonlyArray<Stored>) => void
  private readonly waiters = new Set<Waiter>()
  /** The entry that was delivered last. */
  private position: Seq = Seqs.first

  constructor(connection: Connection, log: string, block: number, deliver: (events: ReadonlyArray<Stored>) => void) {
    this.connection = connection
    this.log = log
    this.block = block
    this.deliver = deliver
  }

  /** The last entry that there is. */
  get last(): Effect.Effect<Seq, Unavailable> {
    return Effect.map(this.connection.ask<ReadonlyArray<Entries.Entry>>("XREVRANGE", this.log, "+", "-", "COUNT", "1"), ([entry]) => entry?.[0] ?? Seqs.first)
  }

  /** Begins behind what has happened before. */
  get begin(): Effect.Effect<void, Unavailable> {
    return Effect.map(this.last, (last) => {
      this.position = last
    })
  }

  /** Waits until this has been delivered, and all before it. */
  until(seq: Seq): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (Seqs.compare(seq, this.position) <= 0) return resume(Effect.void)
      const waiter = { seq, wake: () => resume(Effect.void) }
      this.waiters.add(waiter)
      return Effect.sync(() => void this.waiters.delete(waiter))
    })
  }

  /** The task that reads. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => this.read).pipe(
    // Whatever it is: another connection, and on from where we are. Presence.ts tells that Redis is away.
    Effect.catch(() => Effect.sleep(pause)),
    Effect.forever({ disableYield: true })
  )

  private get read() {
    return Effect.scoped(Effect.gen({ self: this }, function*() {
      const own = yield* this.connection.reserve
      yield* this.check
      for (;;) {
        const reply = yield* own.send<ReadonlyArray<readonly [string, ReadonlyArray<Entries.Entry>]> | null>(
          "XREAD", "COUNT", most, "BLOCK", String(Math.ceil(this.block)), "STREAMS", this.log, this.position
        )
        if (reply !== null) this.take(reply[0]![1])
      }
    }))
  }

  private take(entries: ReadonlyArray<Entries.Entry>): void {
    this.position = entries.at(-1)![0]
    this.deliver(entries.map(Entries.read))
    for (const waiter of this.waiters) {
      if (Seqs.compare(waiter.seq, this.position) > 0) continue
      this.waiters.delete(waiter)
      waiter.wake()
    }
  }

  /** Redis may have forgotten what we have not read: because it keeps nothing on a disk, or because we were away for long. */
  private get check() {
    return Effect.gen({ self: this }, function*() {
      const { position } = this
      if (position === Seqs.first) return
      const [oldest] = yield* this.connection.ask<ReadonlyArray<Entries.Entry>>("XRANGE", this.log, "-", "+", "COUNT", "1")
      const last = yield* this.last
      if (oldest === undefined || Seqs.compare(oldest[0], position) > 0) {
        yield* Effect.logWarning("the bus does not have any more what happened last: some lines may never be told here")
      }
      // Its clock has gone back, or we would wait for what is behind the place that it once was at.
      if (Seqs.compare(last, position) < 0) this.position = last
    })
  }
}
