/**
 * What `npm run example` tells Node about memory: every server in Node is measured with it.
 *
 * V8 doubles the young generation while a program is loaded, to 16 MB twice over, and a program that loads Effect has it at once. A server of
 * short messages leaves little in it that lives on, and does as well with less.
 */
import { readFileSync } from "node:fs"

const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly scripts: { readonly example: string } }

export const asExamplesRun: ReadonlyArray<string> = scripts.example.split(" ").filter((word) => word.startsWith("--max-"))
