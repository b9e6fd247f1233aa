/** The two ends of a connection in a simulated network. */
import type { Timer } from "../../core/internal/Timers.ts"
import { nameOf } from "../../net/internal/AddressText.ts"
import type { Address, Connection } from "../../net/Network.ts"
import type { SimulatedHost } from "./SimulatedHost.ts"
import type { Route, SimulatedWire } from "./SimulatedRoute.ts"
import { StreamEnd, systemError } from "./StreamEnd.ts"
import type { Message } from "./Wire.ts"

const labelOf = (peer: Address, local: Address): string =>
  `${peer._tag === "Unix" ? "unix" : "tcp"} ${nameOf(peer) ?? nameOf(local) ?? "without a name"}`

/** As Linux asks, once it has begun. */
const probeMillis = 1000
const mostProbes = 10

export class SimulatedEnd extends StreamEnd implements Connection {
  readonly host: SimulatedHost
  readonly peer: Address
  readonly local: Address
  readonly wire: SimulatedWire
  readonly epoch: number
  other: SimulatedEnd | undefined = undefined
  whenShut: (() => void) | undefined = undefined
  private probing: Timer | undefined = undefined
  private keepAliveMillis = Infinity
  private heardAt = 0
  private missed = 0

  constructor(host: SimulatedHost, peer: Address, local: Address, wire: SimulatedWire, capacity: number) {
    super(labelOf(peer, local), wire, capacity, Infinity)
    this.host = host
    this.peer = peer
    this.local = local
    this.wire = wire
    this.epoch = host.epoch
  }

  offerUnsafe(data: Uint8Array | string): number | undefined {
    return this.putNow(data)
  }

  protected override onShut(): void {
    this.stopProbing()
    this.whenShut?.()
  }

  override arrived(message: Message): void {
    this.heardAt = this.route.weather.timers.now()
    super.arrived(message)
  }

  override breakUnsafe(cause: unknown): void {
    this.stopProbing()
    super.breakUnsafe(cause)
  }

  private get route(): Route {
    return this.wire.route
  }

  /** Asks the peer's system now and then whether it is still there. */
  keepAlive(millis: number): void {
    if (millis === Infinity) return
    this.keepAliveMillis = millis
    this.heardAt = this.route.weather.timers.now()
    this.probeAt(this.heardAt + millis)
  }

  private probeAt(at: number): void {
    this.probing = this.route.weather.setTimer(at, () => this.probe())
  }

  private probe(): void {
    const { weather } = this.route
    const now = weather.timers.now()
    if (this.missed === 0 && this.heardAt + this.keepAliveMillis > now) return this.probeAt(this.heardAt + this.keepAliveMillis)
    if (this.isAnswered) {
      this.missed = 0
      this.heardAt = now
      return this.probeAt(now + this.keepAliveMillis)
    }
    if (++this.missed > mostProbes) return this.breakUnsafe(systemError("ETIMEDOUT", "the peer's system does not answer"))
    this.probeAt(now + probeMillis)
  }

  // Both ways must be open; whether the peer has closed its end is no matter for its system.
  private get isAnswered(): boolean {
    const { other } = this
    return other !== undefined && this.route.passes && other.route.passes && other.host.isUp(other.epoch)
  }

  private stopProbing(): void {
    if (this.probing !== undefined) this.route.weather.timers.clear(this.probing)
    this.probing = undefined
  }
}
