/**
 * What the server counts. Plain numbers, because a line that goes to a thousand users must not be counted by a thousand
 * effects; once in a turn they become metrics of Effect, for whoever reads those.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** How somebody left. */
export type LeaveReason =
  | "quit"
  | "end"
  | "reset"
  | "idle"
  | "slow"
  | "refused"
  | "resumed"
  | "shutdown"
  | "failed"
  | "unavailable"
  | "not-resumed"

const connectedUsers = Metric.gauge("chat_connected", { description: "connections that are open" })
const onlineUsers = Metric.gauge("chat_users", { description: "users of this process" })
const joins = Metric.counter("chat_joined", { description: "users who joined", incremental: true })
const leaves = Metric.counter("chat_left", { description: "connections that ended, by reason", incremental: true })
const linesFromUsers = Metric.counter("chat_lines_in", { description: "lines that users have sent", incremental: true })
const linesToUsers = Metric.counter("chat_lines_out", { description: "lines that were written to users, each counted for each of them", incremental: true })
const outboxHighWater = Metric.gauge("chat_outbox_peak_bytes", { description: "the most that has waited for one client" })

export class Stats {
  connected = 0
  users = 0
  joined = 0
  linesIn = 0
  linesOut = 0
  outboxPeak = 0
  readonly left = new Map<LeaveReason, number>()
  private readonly since: number
  // What the metrics know already.
  private told = { joined: 0, linesIn: 0, linesOut: 0, left: new Map<LeaveReason, number>() }

  constructor(now: number) {
    this.since = now
  }

  leave(reason: LeaveReason): void {
    this.left.set(reason, (this.left.get(reason) ?? 0) + 1)
  }

  /** Brings the metrics up to date. */
  readonly publish: Effect.Effect<void> = Effect.suspend(() => {
    const { told } = this
    const updates = [
      Metric.update(connectedUsers, this.connected),
      Metric.update(onlineUsers, this.users),
      Metric.update(joins, this.joined - told.joined),
      Metric.update(linesFromUsers, this.linesIn - told.linesIn),
      Metric.update(linesToUsers, this.linesOut - told.linesOut),
      Metric.update(outboxHighWater, this.outboxPeak)
    ]
    for (const [reason, count] of this.left) {
      const more = count - (told.left.get(reason) ?? 0)
      if (more > 0) updates.push(Metric.update(Metric.withAttributes(leaves, { reason }), more))
    }
    this.told = { joined: this.joined, linesIn: this.linesIn, linesOut: this.linesOut, left: new Map(this.left) }
    return Effect.all(updates, { discard: true })
  })

  /** The same for people. */
  lines(now: number, online: number): ReadonlyArray<string> {
    const left = [...this.left].map(([reason, count]) => `${count} ${reason}`).join(", ")
    return [
      `up ${Math.floor((now - this.since) / 1000)} s; online ${online}; connected here ${this.connected}`,
      `joined ${this.joined}; connections ended: ${left === "" ? "none" : left}`,
      `lines in ${this.linesIn}, out ${this.linesOut}; most waiting for one client ${this.outboxPeak} bytes`
    ]
  }
}
