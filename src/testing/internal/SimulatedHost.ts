/** A machine of a simulated network. */
import type { Acceptor, Address } from "../../net/Network.ts"
import { nameOf } from "../../net/internal/AddressText.ts"

/** Somebody who listens. */
export interface Listening {
  readonly address: Address
  readonly acceptor: Acceptor<any>
  readonly options: { readonly keepAliveMillis: number }
}

const loopback = /^(127\.|::1$)/
const everyAddress = ["0.0.0.0", "::"]

/** The first port that is given to who asks for any. */
const firstFreePort = 49_152

export class SimulatedHost {
  readonly name: string
  readonly addresses: ReadonlyArray<string>
  state: "up" | "down" = "up"
  /** How often it has lost its power. Connections of an earlier life are gone. */
  epoch = 0
  /** So many connections will fail to be accepted, with this error. */
  failing: { count: number; readonly code: string } | undefined = undefined
  private readonly listeners = new Map<string, Listening>()
  private lastPort = firstFreePort - 1

  constructor(name: string, addresses: ReadonlyArray<string>) {
    this.name = name
    this.addresses = addresses
  }

  isUp(epoch: number): boolean {
    return this.state === "up" && this.epoch === epoch
  }

  crash(): void {
    this.state = "down"
    this.epoch++
    this.listeners.clear()
  }

  get listening(): ReadonlyArray<Address> {
    return Array.from(this.listeners.values(), ({ address }) => address)
  }

  has(address: string): boolean {
    return loopback.test(address) || this.addresses.includes(address)
  }

  /** May somebody listen at this address? */
  offers(address: string): boolean {
    return this.has(address) || everyAddress.includes(address)
  }

  freePort(): number {
    do this.lastPort = this.lastPort === 65_535 ? firstFreePort : this.lastPort + 1
    while ([...this.listeners.values()].some(({ address }) => address._tag === "Tcp" && address.port === this.lastPort))
    return this.lastPort
  }

  listenerAt(to: Address): Listening | undefined {
    const exact = this.listeners.get(nameOf(to)!)
    if (exact !== undefined || to._tag === "Unix") return exact
    const wildcards = to.host.includes(":") ? ["::"] : everyAddress
    for (const host of wildcards) {
      const listening = this.listeners.get(nameOf({ ...to, host })!)
      if (listening !== undefined) return listening
    }
    return undefined
  }

  isTaken(at: Address): boolean {
    if (at._tag === "Unix") return this.listeners.has(nameOf(at)!)
    return [...this.listeners.values()].some(({ address }) =>
      address._tag === "Tcp" && address.port === at.port &&
      (address.host === at.host || everyAddress.includes(address.host) || everyAddress.includes(at.host))
    )
  }

  listen(listening: Listening): void {
    this.listeners.set(nameOf(listening.address)!, listening)
  }

  stop(listening: Listening): void {
    const name = nameOf(listening.address)!
    if (this.listeners.get(name) === listening) this.listeners.delete(name)
  }
}

/** The address by which a peer knows a client that has connected to `to`. */
export const clientAddress = (host: SimulatedHost, to: Address, asked: string | undefined): Address => {
  if (to._tag === "Unix") return { _tag: "Unix", path: "" }
  const isV6 = to.host.includes(":")
  const own = asked ?? (loopback.test(to.host) ? to.host : host.addresses.find((address) => address.includes(":") === isV6) ?? to.host)
  return { _tag: "Tcp", host: own, port: host.freePort() }
}
