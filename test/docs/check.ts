/** Type-checks and lints a folder of written blocks, and says the result with the lines of the pages. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Block, fileOf, root } from "./blocks.ts"

const tool = (name: string, args: ReadonlyArray<string>) => {
  const result = spawnSync(path.join(root, "node_modules", ".bin", name), args, { cwd: root, encoding: "utf8" })
  return { status: result.status, text: `${result.stdout}${result.stderr}` }
}

/** `file.ts(3,5)` and `file.ts:3:5` become `docs/page.md:<line on the page>`. */
const onThePage = (text: string, blocks: ReadonlyArray<Block>): string => {
  const byFile = new Map(blocks.map((block) => [fileOf(block), block]))
  return text.replaceAll(/\S*?([\w-]+\.ts)(?:\((\d+),\d+\)|:(\d+):\d+)/g, (all, file: string, a?: string, b?: string) => {
    const block = byFile.get(file)
    return block === undefined ? all : `${block.source}:${block.line + Number(a ?? b) - 1}`
  })
}

/** What TypeScript reports for the programs in `folder`; empty when all is well. */
export const typeErrors = (blocks: ReadonlyArray<Block>, folder: string): Array<string> => {
  if (!blocks.some((block) => block.kind === "program")) return []
  const project = path.join(folder, "tsconfig.json")
  fs.writeFileSync(project, JSON.stringify({ extends: path.join(root, "tsconfig.json"), include: ["./*.ts"] }))
  const { status, text } = tool("tsc", ["-p", project, "--pretty", "false"])
  return status === 0 ? [] : onThePage(text, blocks).split("\n").filter((line) => line !== "")
}

/** What oxlint reports for them: above all, an import that is not the public name. */
export const lintErrors = (blocks: ReadonlyArray<Block>, folder: string): Array<string> => {
  if (!blocks.some((block) => block.kind === "program")) return []
  // By their names: oxlint does not look into a folder whose name begins with a dot.
  const files = blocks.filter((block) => block.kind === "program").map((block) => path.join(folder, fileOf(block)))
  const { status, text } = tool("oxlint", ["-c", ".oxlintrc.json", "-f", "unix", "--deny-warnings", ...files])
  return status === 0 ? [] : onThePage(text, blocks).split("\n").filter((line) => line !== "")
}
