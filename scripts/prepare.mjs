// `npm run build` for the `prepare` step of npm. Plain JavaScript: it must also run where no
// development dependency is installed.
//
// npm runs `prepare` at the end of every install in this folder and before it packs. A package must
// never be packed from code that does not compile, but an install has done its work by then: it says
// what is wrong and leaves the tree usable, because the tree is what one needs to repair it.
import { spawnSync } from "node:child_process"
import { existsSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const packing = ["pack", "publish"].includes(process.env.npm_command ?? "")

const compiler = () => {
  try {
    const manifest = createRequire(import.meta.url).resolve("typescript/package.json")
    return join(dirname(manifest), "bin", "tsc")
  } catch {
    return undefined
  }
}

const tsc = compiler()
if (tsc === undefined || !existsSync(tsc)) {
  console.error("prepare: TypeScript is not installed here, so dist/ was not built (npm ci, then npm run build).")
  process.exit(packing ? 1 : 0)
}

// A module that was renamed must not stay in the package under its old name.
if (packing) rmSync("dist", { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" })
if (status !== 0) {
  console.error("prepare: dist/ could not be built without errors; see above (npm run check).")
  if (packing) process.exit(1)
}
