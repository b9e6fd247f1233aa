/** How bytes get from one host to another: late, in pieces, sometimes not at all, and in order. */
import type { Timer, Timers } from "../../core/internal/Timers.ts"
import type { SeededRandom } from "./SeededRandom.ts"
import type { SimulatedHost } from "./SimulatedHost.ts"
import { type StreamEnd, systemError } from "./StreamEnd.ts"
import type { Message, Wire } from "./Wire.ts"

/** What a link does to what it carries. */
export interface LinkRules {
  readonly delayMillis: number
  readonly jitterMillis: number
  readonly bytesPerMilli: number
  readonly lossChance: number
  readonly resetChance: number
  readonly maxChunkBytes: number
}

/** What all routes share. */
export interface Weather {
  readonly random: SeededRandom
  readonly giveUpMillis: number
  readonly timers: Timers
  setTimer(at: number, run: () => void): Timer
}

/** One direction between two hosts. */
export class Route {
  readonly from: SimulatedHost
  readonly to: SimulatedHost
  readonly weather: Weather
  rules: LinkRules
  private isCut = false
  /** Bytes that were sent before are on their way until then. */
  private busyUntil = 0
  private readonly holding = new Set<SimulatedWire>()

  constructor(from: SimulatedHost, to: SimulatedHost, weather: Weather, rules: LinkRules) {
    this.from = from
    this.to = to
    this.weather = weather
    this.rules = rules
  }

  get passes(): boolean {
    return !this.isCut
  }

  cut(): void {
    this.isCut = true
  }

  heal(): void {
    this.isCut = false
    this.retry()
  }

  /** What did not get through is sent again. */
  retry(): void {
    const wires = [...this.holding]
    this.holding.clear()
    for (const wire of wires) wire.resend()
  }

  holds(wire: SimulatedWire): void {
    this.holding.add(wire)
  }

  forget(wire: SimulatedWire): void {
    this.holding.delete(wire)
  }

  /** When something arrives that is sent now. */
  arrivalOf(bytes: number): number {
    const { rules: { bytesPerMilli, delayMillis, jitterMillis, lossChance }, weather: { random, timers } } = this
    let at = timers.now()
    if (bytesPerMilli !== Infinity) at = this.busyUntil = Math.max(this.busyUntil, at) + bytes / bytesPerMilli
    at += delayMillis
    if (jitterMillis > 0) at += random.next() * jitterMillis
    // The system notices the loss by a time limit, which it doubles each time.
    if (lossChance > 0) for (let limit = firstRetransmission; limit < longestRetransmission && random.next() < lossChance; limit *= 2) at += limit
    return at
  }
}

const firstRetransmission = 200
const longestRetransmission = 60_000

interface Packet {
  readonly number: number
  readonly bytes: number
  readonly deliver: () => void
}

/** One direction of a connection. Like TCP, it sends again what did not get through, and puts it in order. */
export class SimulatedWire implements Wire {
  readonly route: Route
  private from: StreamEnd | undefined = undefined
  private to: StreamEnd | undefined = undefined
  private back: SimulatedWire | undefined = undefined
  private isDead = false
  private numbers = 0
  private delivered = 0
  /** Packets that wait for one before them. */
  private readonly early = new Map<number, Packet>()
  private held: Array<Packet> = []
  private givingUp: Timer | undefined = undefined
  private readonly fromEpoch: number
  private readonly toEpoch: number

  constructor(route: Route) {
    this.route = route
    this.fromEpoch = route.from.epoch
    this.toEpoch = route.to.epoch
  }

  /** The two ends, and the wire for the other direction. */
  connect(from: StreamEnd, to: StreamEnd, back: SimulatedWire): void {
    this.from = from
    this.to = to
    this.back = back
  }

  carry(message: Message): void {
    if (message._tag !== "Data") return this.call(() => this.to!.arrived(message), 0)
    const { rules: { maxChunkBytes, resetChance }, weather: { random } } = this.route
    if (resetChance > 0 && random.next() < resetChance) return this.reset()
    const { bytes } = message
    for (let at = 0; at < bytes.length;) {
      const end = maxChunkBytes === Infinity ? bytes.length : Math.min(bytes.length, at + 1 + random.below(maxChunkBytes))
      const part = bytes.subarray(at, end)
      this.call(() => this.to!.arrived({ _tag: "Data", bytes: part }), part.length)
      at = end
    }
  }

  /** Somebody on the way breaks the connection, for both ends. */
  private reset(): void {
    this.call(() => this.to!.arrived({ _tag: "Reset", cause: undefined }), 0)
    this.from!.breakUnsafe(systemError("ECONNRESET", "the connection was reset on its way"))
  }

  /** Runs something at the other end, behind all that was sent before. */
  call(deliver: () => void, bytes: number): void {
    if (this.isDead || !this.route.from.isUp(this.fromEpoch)) return
    this.transmit({ number: this.numbers++, bytes, deliver })
  }

  private transmit(packet: Packet): void {
    const { weather } = this.route
    weather.setTimer(this.route.arrivalOf(packet.bytes), () => this.arrive(packet))
  }

  private arrive(packet: Packet): void {
    if (this.isDead) return
    const { route } = this
    if (!route.passes) return this.hold(packet)
    if (!route.to.isUp(this.toEpoch)) return this.missed(packet)
    this.early.set(packet.number, packet)
    for (let next = this.early.get(this.delivered); next !== undefined && !this.isDead; next = this.early.get(this.delivered)) {
      this.early.delete(this.delivered++)
      next.deliver()
    }
  }

  private hold(packet: Packet): void {
    this.held.push(packet)
    this.route.holds(this)
    const { weather } = this.route
    this.givingUp ??= weather.setTimer(weather.timers.now() + weather.giveUpMillis, () => {
      this.from!.breakUnsafe(systemError("ETIMEDOUT", "the peer has not answered for a long time"))
      this.kill()
    })
  }

  resend(): void {
    this.stopGivingUp()
    const packets = this.held
    this.held = []
    for (const packet of packets) this.transmit(packet)
  }

  private stopGivingUp(): void {
    if (this.givingUp !== undefined) this.route.weather.timers.clear(this.givingUp)
    this.givingUp = undefined
  }

  /** The host that it goes to has lost its power. When it is up again, it knows nothing of the connection, and says so. */
  private missed(packet: Packet): void {
    const { route } = this
    if (route.to.state === "down") return this.hold(packet)
    if (this.back!.isDead) return
    this.back!.answerForDead()
  }

  private answerForDead(): void {
    const { route } = this
    const at = route.arrivalOf(0)
    route.weather.setTimer(at, () => {
      if (route.passes && route.to.isUp(this.toEpoch)) this.to!.arrived({ _tag: "Reset", cause: undefined })
    })
  }

  /** Nothing goes over it any more. */
  kill(): void {
    this.isDead = true
    this.held = []
    this.early.clear()
    this.route.forget(this)
    this.stopGivingUp()
  }
}
