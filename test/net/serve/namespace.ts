/** A network of its own for a process, which can be cut off from this one as if a cable were pulled. */
import { spawnSync } from "node:child_process"

const ip = (...args: ReadonlyArray<string>): boolean => spawnSync("ip", args, { stdio: "ignore" }).status === 0

export interface Namespace {
  /** Where this side is reached from the other side. */
  readonly host: string
  /** How a program is started there. */
  readonly command: ReadonlyArray<string>
  cut(): void
  mend(): void
  remove(): void
}

/** None, where this process may not make one. */
export const makeNamespace = (): Namespace | undefined => {
  const name = `nursery${process.pid}`
  const [here, there] = [`nu${process.pid}a`, `nu${process.pid}b`]
  const third = process.pid % 250 + 1
  const remove = () => {
    ip("link", "del", here)
    ip("netns", "del", name)
  }
  const inside = (...args: ReadonlyArray<string>) => ip("netns", "exec", name, "ip", ...args)
  const made = ip("netns", "add", name) &&
    ip("link", "add", here, "type", "veth", "peer", "name", there) &&
    ip("link", "set", there, "netns", name) &&
    ip("addr", "add", `10.213.${third}.1/24`, "dev", here) &&
    inside("addr", "add", `10.213.${third}.2/24`, "dev", there) &&
    ip("link", "set", here, "up") && inside("link", "set", there, "up")
  if (!made) {
    remove()
    return undefined
  }
  return {
    host: `10.213.${third}.1`,
    command: ["ip", "netns", "exec", name],
    cut: () => void inside("link", "set", there, "down"),
    mend: () => void inside("link", "set", there, "up"),
    remove
  }
}
