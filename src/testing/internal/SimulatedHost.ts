/** A machine of a simulated network. */
import type { Acceptor, Address } from "../../net/Network.ts"
import { nameOf } from "../../net/internal/AddressText.ts"

/** Somebody who listens. */
export interface Listening {
  readonly address: Address
  readonly acceptor: Acceptor<any>
  readonly keepAliveMillis: number
  /** At `::`, not at IPv4 as well. */
  readonly ipv6Only: boolean
}

type Place = Pick<Listening, "address" | "ipv6Only">

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
    for (const host of everyAddress) {
      const listening = this.listeners.get(nameOf({ ...to, host })!)
      if (listening !== undefined && covers(listening, to.host)) return listening
    }
    return undefined
  }

  isTaken(at: Place): boolean {
    const { address } = at
    if (address._tag === "Unix") return this.listeners.has(nameOf(address)!)
    return [...this.listeners.values()].some((other) =>
      other.address._tag === "Tcp" && other.address.port === address.port && (covers(other, address.host) || covers(at, other.address.host))
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

/** Whether somebody who listens there hears those who connect to `host`. */
const covers = ({ address, ipv6Only }: Place, host: string): boolean => {
  if (address._tag === "Unix") return false
  const isV6 = host.includes(":")
  if (address.host === host) return true
  return address.host === "::" ? isV6 || !ipv6Only : address.host === "0.0.0.0" && !isV6
}

/** The address by which a peer knows a client that has connected to `to`. */
export const clientAddress = (host: SimulatedHost, to: Address, asked: string | undefined): Address => {
  if (to._tag === "Unix") return { _tag: "Unix", path: "" }
  const isV6 = to.host.includes(":")
  const own = asked ?? (loopback.test(to.host) ? to.host : host.addresses.find((address) => address.includes(":") === isV6) ?? to.host)
  return { _tag: "Tcp", host: own, port: host.freePort() }
}
