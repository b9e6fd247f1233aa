/** Where the figures come from. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { cpus, loadavg, platform, release, totalmem } from "node:os"
import { peers } from "./install.ts"

export interface Machine {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly system: string
  readonly load: ReadonlyArray<number>
  readonly node: string
  readonly effect: string
  readonly peers: Readonly<Record<string, string>>
  /** Undefined when there is none here. */
  readonly python: string | undefined
  readonly trio: string | undefined
}

const versionOf = (manifest: URL): string => (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version

const python = (program: string): string | undefined => {
  const { status, stdout } = spawnSync("python3", ["-c", program], { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}

export const describe = (): Machine => ({
  date: new Date().toISOString().slice(0, 10),
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${release()}`,
  load: loadavg().map((x) => Math.round(x * 100) / 100),
  node: process.version,
  effect: versionOf(new URL("../../node_modules/effect/package.json", import.meta.url)),
  peers: Object.fromEntries(
    peers().map(({ manifest, name }) => [name, existsSync(manifest) ? versionOf(manifest) : "not here"])
  ),
  python: python("import platform; print(platform.python_version())"),
  trio: python("import trio; print(trio.__version__)")
})

export const toText = (machine: Machine): string =>
  [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}, ${machine.date}`,
    [
      `Node ${machine.node}`,
      `Effect ${machine.effect}`,
      ...Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`),
      `Python ${machine.python ?? "not here"}`,
      `Trio ${machine.trio ?? "not here"}`
    ].join(", "),
    `load average ${machine.load.join(" ")} when it began`
  ].join("\n")
