/**
 * The code blocks of the documentation: found in Markdown and in doc comments, and written to files.
 *
 * What is done with a block stands in the line of its fence, where GitHub hides it:
 *
 * | fence | what happens |
 * | --- | --- |
 * | `ts` | a whole program: type-checked, linted and run |
 * | `ts fragment` | shown only; for shapes that are no program |
 * | `ts file=examples/a.ts` | must equal that file, and is run |
 * | `ts file=examples/a.ts#part` | must equal what stands between `// #region part` and `// #endregion` |
 * | `text output` | must equal what the block before it printed |
 */
import * as fs from "node:fs"
import * as path from "node:path"

export interface Block {
  /** The file the block stands in, relative to the root of the repository, with `/`. */
  readonly source: string
  /** The line of the first line of code, counted from 1. */
  readonly line: number
  readonly code: string
  readonly kind: "program" | "fragment" | "file"
  /** The program the block quotes, when `kind` is "file". */
  readonly file: string | undefined
  readonly region: string | undefined
  /** What it prints, when a `text output` fence follows. */
  readonly output: string | undefined
}

export interface Found {
  readonly blocks: ReadonlyArray<Block>
  /** Fences that cannot be understood, as `file:line: what is wrong`. */
  readonly problems: ReadonlyArray<string>
}

interface Fence {
  readonly info: string
  readonly line: number
  readonly text: string
}

/** All fences of a Markdown text. `line` is the line of the first line inside, counted from 1. */
export const fencesOf = (markdown: string): Array<Fence> => {
  const fences: Array<Fence> = []
  let open: { mark: string; indent: number; info: string; line: number; lines: Array<string> } | undefined
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    if (open === undefined) {
      const start = /^(\s*)(`{3,})([^`]*)$/.exec(text)
      if (start === null) continue
      open = { mark: start[2]!, indent: start[1]!.length, info: start[3]!.trim(), line: index + 2, lines: [] }
    } else if (text.trim().startsWith(open.mark) && text.trim().replaceAll("`", "") === "") {
      fences.push({ info: open.info, line: open.line, text: open.lines.join("\n") })
      open = undefined
    } else {
      // A fence inside a list is indented; its content is indented with it.
      open.lines.push(text.slice(0, open.indent).trim() === "" ? text.slice(open.indent) : text)
    }
  }
  return fences
}

export const blocksOf = (markdown: string, source: string, firstLine = 1): Found => {
  const blocks: Array<Block> = []
  const problems: Array<string> = []
  let last: Block | undefined
  for (const fence of fencesOf(markdown)) {
    const [language = "", ...flags] = fence.info.split(/\s+/)
    const line = fence.line + firstLine - 1
    const problem = (what: string) => problems.push(`${source}:${line}: ${what}`)
    if (language === "text" && flags.includes("output")) {
      if (last === undefined || last.kind === "fragment") problem("an output needs a program before it")
      else if (last.region !== undefined) problem("a region of a file prints nothing by itself; quote the whole file")
      else if (last.output !== undefined) problem("a second output for one program")
      else {
        last = { ...last, output: fence.text }
        blocks[blocks.length - 1] = last
      }
      continue
    }
    if (language !== "ts") {
      if (language === "typescript") problem("write `ts`: only those blocks are tested")
      continue
    }
    const base = { source, line, code: fence.text, file: undefined, region: undefined, output: undefined }
    const [flag, ...more] = flags
    if (more.length > 0) problem(`one flag at most, got ${JSON.stringify(flags.join(" "))}`)
    else if (flag === undefined) last = { ...base, kind: "program" }
    else if (flag === "fragment") last = { ...base, kind: "fragment" }
    else if (flag.startsWith("file=")) {
      const [file, region] = flag.slice("file=".length).split("#")
      last = { ...base, kind: "file", file: file!, region }
    } else {
      problem(`unknown flag ${JSON.stringify(flag)}: known are fragment and file=`)
      continue
    }
    if (more.length === 0) blocks.push(last!)
  }
  return { blocks, problems }
}

export interface Comment {
  /** The text without the stars, one line of it per line of the source. */
  readonly text: string
  readonly line: number
  /** Where the comment ends in the source text. */
  readonly end: number
}

/** The doc comments of a TypeScript source. */
export const docCommentsOf = (source: string): Array<Comment> =>
  [...source.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)].map((match) => ({
    text: match[0].split(/\r?\n/)
      .map((line) => line.replace(/^\s*\/\*\*/, "").replace(/\*\/$/, "").replace(/^\s*\* ?/, ""))
      .join("\n"),
    line: source.slice(0, match.index).split("\n").length,
    end: match.index + match[0].length
  }))

export const blocksOfSource = (code: string, source: string): Found => {
  const found = docCommentsOf(code).map((comment) => blocksOf(comment.text, source, comment.line))
  return { blocks: found.flatMap((_) => _.blocks), problems: found.flatMap((_) => _.problems) }
}

/** The text between `// #region name` and `// #endregion`, without its common indentation. */
export const regionOf = (code: string, name: string): string | undefined => {
  const lines = code.split(/\r?\n/)
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`)
  if (start < 0) return undefined
  const end = lines.findIndex((line, index) => index > start && line.trim().startsWith("// #endregion"))
  if (end < 0) return undefined
  const inside = lines.slice(start + 1, end)
  const indents = inside.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  const indent = indents.length === 0 ? 0 : Math.min(...indents)
  return inside.map((line) => line.slice(indent)).join("\n")
}

/** What is wrong with the quotations among these blocks. */
export const staleQuotations = (blocks: ReadonlyArray<Block>, root: string): Array<string> =>
  blocks.flatMap((block) => {
    if (block.kind !== "file") return []
    const where = `${block.source}:${block.line}`
    const target = path.join(root, block.file!)
    if (!fs.existsSync(target)) return [`${where}: there is no file ${block.file}`]
    const code = fs.readFileSync(target, "utf8")
    const expected = block.region === undefined ? code : regionOf(code, block.region)
    if (expected === undefined) return [`${where}: there is no region ${block.region} in ${block.file}`]
    return expected.trimEnd() === block.code.trimEnd() ? [] : [`${where}: differs from ${block.file}${block.region === undefined ? "" : `#${block.region}`}`]
  })

// --- the repository ---

export const root = path.resolve(import.meta.dirname, "../..")

/** All files below `folder` (relative to the root) that end so, sorted; nothing when there is no folder. */
export const filesBelow = (folder: string, ending: string, base = root): Array<string> => {
  const top = path.join(base, folder)
  if (!fs.existsSync(top)) return []
  return fs.readdirSync(top, { recursive: true, encoding: "utf8" })
    .map((file) => path.posix.join(folder, file.split(path.sep).join("/")))
    .filter((file) => file.endsWith(ending) && !file.includes("node_modules/"))
    .sort()
}

/** Pages whose blocks are programs: all of docs/, and the pages of the root that show code. */
export const pages = (base = root): Array<string> => [
  ...["README.md", "AGENTS.md"].filter((file) => fs.existsSync(path.join(base, file))),
  ...filesBelow("docs", ".md", base)
]

/** The modules a user can import: those of every floor, without what is internal. */
/** Subpaths that are one module: their entry is that module, not a list of namespaces. */
export const entryModules: ReadonlyArray<string> = ["src/promise/index.ts", "src/vitest/index.ts"]

export const publicSources = (base = root): Array<string> =>
  filesBelow("src", ".ts", base).filter((file) =>
    !file.includes("/internal/") && (!file.endsWith("/index.ts") || entryModules.includes(file))
  )

export const allBlocks = (base = root): Found => {
  const read = (file: string) => fs.readFileSync(path.join(base, file), "utf8")
  const found = [
    ...pages(base).map((file) => blocksOf(read(file), file)),
    // All of src: a public name may be passed on from a module that is internal.
    ...filesBelow("src", ".ts", base).map((file) => blocksOfSource(read(file), file))
  ]
  return { blocks: found.flatMap((_) => _.blocks), problems: found.flatMap((_) => _.problems) }
}

/** Where a program is written, relative to the folder that all are written to. */
export const fileOf = (block: Block): string => `${block.source.replaceAll(/[/.]/g, "-")}-${block.line}.ts`

/** The program a block stands for: the file it quotes, or the one written for it. */
export const programOf = (block: Block, base: string, folder: string): string =>
  block.kind === "file" ? path.join(base, block.file!) : path.join(folder, fileOf(block))

/** Programs that can be run: whole blocks, and whole files that are quoted with an output. */
export const runnable = (blocks: ReadonlyArray<Block>): Array<Block> =>
  blocks.filter((block) =>
    block.kind === "program" || (block.kind === "file" && block.region === undefined && block.output !== undefined)
  )

export const writeBlocks = (blocks: ReadonlyArray<Block>, folder: string): void => {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  for (const block of blocks) {
    if (block.kind === "program") fs.writeFileSync(path.join(folder, fileOf(block)), `${block.code}\n`)
  }
}

/** Where the blocks of this repository are written. Inside of it, so that its name can be imported. */
export const blocksFolder = path.join(root, ".docs", "blocks")
