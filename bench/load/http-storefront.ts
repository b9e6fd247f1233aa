/** examples/storefront as its image has it: built (examples/storefront/rolldown.config.ts), and started as the Dockerfile says. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Of its own, so that nobody who builds the storefront meanwhile changes what is measured. */
const folder = here("../node_modules/.storefront")

/** Once, before anything is measured. */
export const build = async (): Promise<void> => {
  const [{ build }, { default: config }] = await Promise.all([import("rolldown"), import("../../examples/storefront/rolldown.config.ts")])
  await build({ ...config, logLevel: "warn", output: { ...config.output, dir: folder } })
}

/** The words after `node`: options, and the file. */
export const command = (): ReadonlyArray<string> => {
  const words = /^CMD (\[.*\])$/m.exec(readFileSync(here("../../examples/storefront/Dockerfile"), "utf8"))?.[1]
  if (words === undefined) throw new Error("the Dockerfile of the storefront does not say how it is started")
  const [, ...options] = JSON.parse(words) as ReadonlyArray<string>
  return [...options.slice(0, -1), `${folder}/${options.at(-1)}`]
}
