/**
 * The nursery behind a server: a task for each connection, and those who wait for one.
 *
 * Node accepts whatever comes; nobody can tell it to leave connections to the
 * system for a while. So those who have to wait are accepted and not read from:
 * for the peer it is as if the system held them.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Errors from "../../core/Errors.ts"
import { type AnyEffect, tellAll } from "../../core/internal/Block.ts"
import type { CancelReason } from "../../core/internal/CancelReason.ts"
import { NurseryBlock } from "../../core/internal/NurseryBlock.ts"
import type { TaskMember } from "../../core/internal/TaskMember.ts"
import { timersFor } from "../../core/internal/Timers.ts"
import * as Timeout from "../../core/Timeout.ts"
import type { Report } from "../Server.ts"
import { groupOf } from "./AddressGroup.ts"
import { nameOf } from "./AddressText.ts"
import type { ServePlan } from "./ServePlan.ts"
import type { Acceptor, Connection } from "./Transport.ts"
import { type Host, Visit } from "./Visit.ts"

/** As Trio does; it is the time in which the system may find descriptors again. */
const acceptPauseMillis = 100

/** Each of them has a task until its text is on its way; more are turned away without. */
const mostToldWhy = 64
const tellingLimit = "1 second"

/** It is told again only after this. */
const fullAgainMillis = 60_000

type State =
  | { readonly _tag: "Accepting" }
  /** `open` connections had handlers then. It was asked to stop, or cancelled. */
  | { readonly _tag: "Stopping"; readonly since: number; readonly open: number; readonly asked: boolean }

export class ServerBlock extends NurseryBlock implements Host, Acceptor {
  private readonly plan: ServePlan
  private readonly handler: (visit: Visit) => AnyEffect
  private stage: State = { _tag: "Accepting" }
  private visits = 0
  private ofGroup: Map<string, number> | undefined
  private readonly waiting = new Set<Connection>()
  private numbers = 0
  private served = 0
  private drained = 0
  private forced = 0
  private longest = 0
  private turnedAway = 0
  private telling = 0
  private toldFullAt = -Infinity
  private pausedUntil = -Infinity

  constructor(body: (server: ServerBlock) => AnyEffect, handler: (visit: Visit) => AnyEffect, plan: ServePlan) {
    super((nursery) => body(nursery as ServerBlock), {
      name: plan.name,
      maxTasks: Infinity,
      onTaskFailure: "continue",
      handler: (cause, task) => handleFailure(plan, cause, task)
    })
    this.plan = plan
    this.handler = handler
    this.ofGroup = plan.maxPerAddress === Infinity ? undefined : new Map()
  }

  private get now(): number {
    return timersFor(this.owner).now()
  }

  handle(visit: Visit): AnyEffect {
    return this.handler(visit)
  }

  connected(connection: Connection): void {
    const { maxConnections, maxPerAddress, maxWaiting } = this.plan
    if (this.stage._tag !== "Accepting" || this.state !== "open") return this.turnAway(connection, false)
    if (this.ofGroup !== undefined && (this.ofGroup.get(groupOf(connection.peer)) ?? 0) >= maxPerAddress) return this.turnAway(connection, true)
    if (this.visits < maxConnections) {
      this.enterGroup(connection)
      return this.letIn(connection)
    }
    this.tellFull()
    if (this.waiting.size >= maxWaiting) return this.turnAway(connection, true)
    this.enterGroup(connection)
    this.waiting.add(connection)
  }

  failed(error: Errors.Broken): void {
    if (this.now < this.pausedUntil || this.state === "ended") return
    this.pausedUntil = this.now + acceptPauseMillis
    this.beside("log", Effect.logWarning(`${this.name} cannot accept connections for now, and goes on: ${error.message}`))
  }

  private letIn(connection: Connection): void {
    this.visits++
    const visit = new Visit(this, connection, undefined, ++this.numbers)
    this.adopt(visit)
    if (this.cancelled === undefined) this.start(visit)
    else tellAll([visit], this.cancelled)
  }

  visitEnded(visit: Visit): void {
    this.visits--
    this.leaveGroup(visit.connection)
    if (visit.told !== undefined) this.forced++
    else if (this.stage._tag === "Stopping") this.drained++
    else this.served++
    if (this.stage._tag === "Stopping") this.longest = this.now - this.stage.since
    else this.letInNext()
  }

  private letInNext(): void {
    for (const connection of this.waiting) {
      if (this.visits >= this.plan.maxConnections) return
      this.waiting.delete(connection)
      this.letIn(connection)
    }
  }

  private enterGroup({ peer }: Connection): void {
    if (this.ofGroup === undefined) return
    const group = groupOf(peer)
    this.ofGroup.set(group, (this.ofGroup.get(group) ?? 0) + 1)
  }

  private leaveGroup({ peer }: Connection): void {
    if (this.ofGroup === undefined) return
    const group = groupOf(peer)
    const others = this.ofGroup.get(group)! - 1
    if (others === 0) this.ofGroup.delete(group)
    else this.ofGroup.set(group, others)
  }

  private turnAway(connection: Connection, sayWhy: boolean): void {
    this.turnedAway++
    const text = this.plan.rejectText
    if (!sayWhy || text === undefined || this.telling >= mostToldWhy) return this.drop(connection)
    this.telling++
    const tell = Effect.andThen(connection.send(text), connection.close).pipe(
      Timeout.moveOnAfter(tellingLimit, { name: "turning away" }),
      Effect.ignore,
      Effect.ensuring(Effect.andThen(connection.abort, Effect.sync(() => this.telling--)))
    )
    this.beside(`turning away ${nameOf(connection.peer) ?? "a peer"}`, tell)
  }

  drop(connection: Connection): void {
    Effect.runForkWith(this.owner.context)(connection.abort)
  }

  private tellFull(): void {
    const { maxConnections, maxWaiting } = this.plan
    if (this.now < this.toldFullAt + fullAgainMillis) return
    this.toldFullAt = this.now
    const others = maxWaiting > 0 ? `others wait, at most ${maxWaiting}` : "others are turned away"
    this.beside("log", Effect.logWarning(`${this.name} is full with ${maxConnections} connections; ${others}`))
  }

  beside(name: string, effect: Effect.Effect<void>): void {
    this.spawn(effect, this.owner.context, { name, service: true }, true)
  }

  /** From here on nobody is let in. */
  stop(asked: boolean): void {
    if (this.stage._tag === "Stopping") return
    this.stage = { _tag: "Stopping", since: this.now, open: this.visits, asked }
    for (const connection of this.waiting) {
      this.leaveGroup(connection)
      this.turnAway(connection, false)
    }
    this.waiting.clear()
  }

  override cancelMembers(reason: CancelReason): void {
    this.stop(false)
    super.cancelMembers(reason)
  }

  /** Its handshake has lasted until after the server was asked to stop. */
  uses(stream: Connection): AnyEffect | undefined {
    return this.endsInput ? stream.endInput : undefined
  }

  private get endsInput(): boolean {
    return this.plan.endInputOnStop && this.stage._tag === "Stopping"
  }

  /** Gives the handlers their grace. */
  get drain(): AnyEffect {
    const { graceMillis } = this.plan
    const idle = this.endInputs.pipe(Effect.andThen(Effect.suspend(() => this.awaitIdle())))
    return Effect.flatMap(Timeout.moveOnAfter(idle, graceMillis, { name: "grace" }), (ended) =>
      Effect.sync(() => {
        if (ended._tag === "None") this.cancelTasks(`the grace of ${Duration.format(Duration.millis(graceMillis))} is over`)
      }))
  }

  private get endInputs(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.endsInput) return Effect.void
      const visits = this.members().filter((member): member is Visit => member instanceof Visit)
      return Effect.forEach(visits, (visit) => visit.stream?.endInput ?? Effect.void, { discard: true })
    })
  }

  get report(): Report {
    const { drained, forced, longest, served, turnedAway } = this
    return { served, drained, forced, longest: Duration.millis(Math.round(longest)), turnedAway }
  }

  /** Tells the log how it has stopped, if there were connections then. */
  get tellReport(): Effect.Effect<void> {
    if (this.stage._tag !== "Stopping" || this.stage.open === 0) return Effect.void
    const { drained, forced, longest } = this.report
    const words = `${this.name} has stopped: drained ${drained}, forced ${forced}, longest ${Duration.format(longest)}`
    return Effect.annotateLogs(this.stage.asked ? Effect.logInfo(words) : Effect.logDebug(words), { server: this.name })
  }
}

const handleFailure = (plan: ServePlan, cause: Cause.Cause<any>, task: TaskMember): AnyEffect => {
  if (!(task instanceof Visit)) return Effect.logError(`${plan.name}: ${task.name} failed`, cause)
  if (plan.onFailure !== undefined) return plan.onFailure(cause, task.connection.peer)
  const log = isWeather(cause)
    ? Effect.logInfo(`${task.name}: ${cause.reasons.map((reason) => (reason as Cause.Fail<Error>).error.message).join("; ")}`)
    : Effect.logError(`the handler of ${task.name} failed`, cause)
  return Effect.annotateLogs(log, { server: plan.name, peer: task.name })
}

/** The peer or the network is to blame, and nothing has to be mended. */
const isWeather = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.every((reason) =>
    reason._tag === "Fail" && (reason.error instanceof Errors.Broken || reason.error instanceof Errors.TooSlow)
  )
