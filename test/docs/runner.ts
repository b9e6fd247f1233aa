/**
 * Runs programs one after another in this process and tells what each of them printed.
 *
 * A program is over when nothing is left for it to wait for: that is when Node says `beforeExit`. So a
 * block needs no trick to be waited for, it is written as a reader would write it; and starting Node and
 * loading Effect is paid once, not once per block.
 *
 * node --conditions=effect-nursery:source test/docs/runner.ts LIST REPORT, where LIST is a JSON array of files. Each
 * result is appended to REPORT as it comes, so that a program which ends the process spoils only itself.
 */
import * as fs from "node:fs"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"
import type { Result } from "./run.ts"

const longestMillis = 10_000

const [, , list, report] = process.argv
const files = JSON.parse(fs.readFileSync(list!, "utf8")) as Array<string>

let current: string | undefined
let printed = ""
let errors: Array<string> = []
let watchdog: NodeJS.Timeout | undefined

const capture = (chunk: string | Uint8Array): boolean => {
  printed += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8")
  return true
}
process.stdout.write = capture as typeof process.stdout.write
process.stderr.write = capture as typeof process.stderr.write

const finish = () => {
  if (current === undefined) return
  clearTimeout(watchdog)
  const result: Result = { file: current, printed, errors }
  fs.appendFileSync(report!, `${JSON.stringify(result)}\n`)
  current = undefined
}

const fail = (error: unknown) => {
  errors.push(inspect(error))
}
process.on("unhandledRejection", fail)
process.on("uncaughtException", fail)

const next = () => {
  finish()
  current = files.shift()
  if (current === undefined) return
  printed = ""
  errors = []
  process.exitCode = 0
  watchdog = setTimeout(() => {
    fail(`still running after ${longestMillis / 1000} seconds`)
    process.exit(1)
  }, longestMillis).unref()
  // From a turn of the event loop: Node says `beforeExit` again only after one, and a small program needs none.
  const { href } = pathToFileURL(current)
  setImmediate(() => import(href).catch(fail))
}

process.on("beforeExit", next)
process.on("exit", (code) => {
  if (current !== undefined && errors.length === 0) fail(`ended the process with exit code ${code}`)
  finish()
})
next()
