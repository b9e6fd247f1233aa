/**
 * Two builds of the library from the same source: as it is, and without the calls to a recorder.
 *
 * Both are copies, taken together, so that an edit during a long run cannot come between them.
 */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** `this.recorder?.opened(this)`, `recorder?.moved?.(task, from)` and `recorderOf(fiber, place)?.waiting(this)` */
const call = /(?:[\w.]+\.recorder|recorderOf\([^()\n]*\))\?\.\w+(?:\?\.)?\((?:[^()\n]|\([^()\n]*\))*\)/g
/** `this.recorder = recorderFor(owner)` */
const lookUp = /[\w.]+\.recorder = recorderFor\(\w+\)/g
/** A place that neither of them has found: the source has changed its ways, and so must this file. */
const left = /recorder\?\.|= recorderFor\(|recorderOf\([^()\n]*\)\?\./

const copy = (from: string, to: string): string => {
  cpSync(join(from, "package.json"), join(to, "package.json"))
  cpSync(join(from, "src"), join(to, "src"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"), "junction")
  return to
}

const takeOutHooks = (folder: string): void => {
  let removed = 0
  const none = () => {
    removed++
    return "void 0"
  }
  for (const name of globSync("src/core/**/*.ts", { cwd: folder })) {
    const file = join(folder, name)
    const text = readFileSync(file, "utf8").replace(call, none).replace(lookUp, none)
    const line = text.split("\n").find((line) => left.test(line))
    if (line !== undefined) throw new Error(`bench: cannot take this hook out of ${name}: ${line.trim()}`)
    writeFileSync(file, text)
  }
  if (removed === 0) throw new Error("bench: there is no hook in src/core to take out")
}

const make = () => {
  const folder = mkdtempSync(join(tmpdir(), "effect-nursery-builds-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  const asIs = copy(root, join(folder, "as-is"))
  const withoutHooks = copy(asIs, join(folder, "without-hooks"))
  takeOutHooks(withoutHooks)
  return { asIs, withoutHooks }
}

let built: ReturnType<typeof make> | undefined

/** Their folders. They are made once and removed when the process ends. */
export const builds = (): ReturnType<typeof make> => built ??= make()
