/**
 * The embedded database as a program of its own: it computes on its event loop, which would otherwise be the one that
 * answers requests. PGliteProcess.ts starts it.
 *
 * It says on its channel where it listens, or why it cannot. It ends when the channel closes, which is what happens when
 * the program that has started it ends, however that ends.
 */
import type { PGlite } from "@electric-sql/pglite"
import type { AddressInfo } from "node:net"
import * as fs from "node:fs"
import * as path from "node:path"
import { listen } from "./PGliteListener.ts"
import type { Report } from "./PGliteProcess.ts"
import { open } from "./PGliteTemplate.ts"

const [dataDir = "", maxConnections = "8"] = process.argv.slice(2)

const say = (report: Report) => process.send?.(report)

// Ctrl-C in a terminal goes to everybody in it. Requests that are under way may still need the database. And Ctrl-\ only asks
// the application what runs.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {})

/** Two databases in one folder would destroy it. The mark of one that has died is taken over. */
const occupy = (folder: string): void => {
  fs.mkdirSync(folder, { recursive: true })
  const mark = path.join(folder, "storefront.pid")
  const owner = fs.existsSync(mark) ? Number(fs.readFileSync(mark, "utf8")) : 0
  if (owner > 0 && owner !== process.pid && lives(owner)) throw new Error(`${folder} is in use by process ${owner}`)
  fs.writeFileSync(mark, String(process.pid))
  process.on("exit", () => fs.rmSync(mark, { force: true }))
}

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

let db: PGlite | undefined

process.on("disconnect", () => {
  // The files are written before it ends.
  Promise.resolve(db?.close()).catch(() => {}).finally(() => process.exit())
})

try {
  if (dataDir !== "") occupy(dataDir)
  db = await open(dataDir === "" ? undefined : path.join(dataDir, "pgdata"))
  const server = await listen(db, { host: "127.0.0.1", port: 0, maxConnections: Number(maxConnections) })
  say({ _tag: "Listens", port: (server.address() as AddressInfo).port })
} catch (error) {
  say({ _tag: "Failed", why: error instanceof Error ? error.message : String(error) })
  process.exitCode = 1
  process.disconnect?.()
}
