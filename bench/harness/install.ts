/** The packages that bench/ compares with: installed by the first run. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const bench = new URL("../", import.meta.url)

interface Peer {
  readonly name: string
  readonly version: string
  readonly manifest: URL
}

/** Those that bench/package.json names, here or not. */
export const peers = (): ReadonlyArray<Peer> => {
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", bench), "utf8")) as {
    dependencies: Record<string, string>
  }
  return Object.entries(dependencies).map(([name, version]) => ({
    name,
    version,
    manifest: new URL(`node_modules/${name}/package.json`, bench)
  }))
}

const isHere = ({ manifest, version }: Peer): boolean =>
  existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version === version

/** Returns what went wrong, if anything did: the rows of missing packages then say so themselves. */
export const install = (): string | undefined => {
  if (peers().every(isHere)) return undefined
  console.error("bench: npm ci in bench/ (once)")
  // Under `npm run` this is the npm that runs us.
  const npm = process.env.npm_execpath
  const [command, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm]
  const { status } = spawnSync(command!, [...args, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], {
    cwd: fileURLToPath(bench),
    stdio: ["ignore", "ignore", "inherit"]
  })
  return status === 0 ? undefined : "npm ci in bench/ did not work: the rows of other packages are missing"
}
