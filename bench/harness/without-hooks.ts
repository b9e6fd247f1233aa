/** A second build of the library, from the same source but without the calls to a recorder. */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** `this.recorder?.opened(this)` and `fiber.getRef(RecorderKey)?.waiting(this)` */
const call = /[\w.]+\.(?:recorder|getRef\(RecorderKey\))\?\.\w+\([^()\n]*\)/g
/** `this.recorder = owner.getRef(RecorderKey)` */
const lookUp = /[\w.]+\.recorder = \w+\.getRef\(RecorderKey\)/g
/** A place that neither of them has found: the source has changed its ways, and so must this file. */
const left = /recorder\?\.|getRef\(RecorderKey\)/

const build = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "effect-nursery-without-hooks-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, "package.json"), join(folder, "package.json"))
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction")
  let removed = 0
  for (const name of globSync("src/core/**/*.ts", { cwd: folder })) {
    const file = join(folder, name)
    const none = () => {
      removed++
      return "void 0"
    }
    const text = readFileSync(file, "utf8").replace(call, none).replace(lookUp, none)
    const line = text.split("\n").find((line) => left.test(line))
    if (line !== undefined) throw new Error(`bench: cannot take this hook out of ${name}: ${line.trim()}`)
    writeFileSync(file, text)
  }
  if (removed === 0) throw new Error("bench: there is no hook in src/core to take out")
  return folder
}

let built: string | undefined

/** Its folder. It is made once and removed when the process ends. */
export const withoutHooks = (): string => built ??= build()
