/**
 * What a public module exports, read from its source: names, whether they are values, and their doc
 * comments. The compiler has no interface for this in version 7, and the sources declare each export
 * where it stands, so a look at the lines that begin with `export` is enough. For values
 * reference.test.ts compares with the module as it is loaded, so nothing can be overlooked silently.
 */
import { blocksOf, docCommentsOf } from "./blocks.ts"

export interface Export {
  readonly name: string
  readonly line: number
  readonly isValue: boolean
  readonly isType: boolean
  /** A doc comment stands directly before it. */
  readonly hasDoc: boolean
  /** The doc comment has an `**Example**` with a program that the tests run. */
  readonly hasExample: boolean
}

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(const|let|function\*?|class|interface|type|namespace) +([A-Za-z_$][\w$]*)/gm
const list = /^export (type )?\{([^}]*)\}(?: from "([^"]+)")?/gm

const isSpace = (text: string) => text.trim() === ""

/**
 * One entry for each name: a type and a value of one name, and overloads, are one export.
 *
 * `read` gives the source of a module that names are passed on from (`export { a } from "./b.ts"`): an
 * editor shows the comment that stands there.
 */
export const exportsOf = (source: string, read: (module: string) => string = () => ""): Array<Export> => {
  const comments = docCommentsOf(source)
  const docBefore = (index: number) => comments.find((comment) => comment.end <= index && isSpace(source.slice(comment.end, index)))
  const importOf = (name: string | undefined) =>
    [...source.matchAll(/^import (?:type )?\{([^}]*)\} from "(\.[^"]+)"/gm)]
      .find((match) => match[1]!.split(",").some((item) => item.trim().replace(/^type /, "") === name))?.[2]
  const found: Array<Export> = []
  const add = (name: string, index: number, isValue: boolean, isType: boolean, origin?: Export) => {
    const doc = docBefore(index)
    found.push({
      name,
      line: source.slice(0, index).split("\n").length,
      isValue,
      isType,
      hasDoc: doc !== undefined || origin?.hasDoc === true,
      hasExample: origin?.hasExample === true || doc !== undefined && doc.text.includes("**Example**") &&
        blocksOf(doc.text, "").blocks.some((block) => block.kind !== "fragment")
    })
  }
  for (const match of source.matchAll(declaration)) {
    const kind = match[1]!
    const isType = kind === "interface" || kind === "type" || kind === "namespace"
    // A namespace beside a class or function only adds types to it: these modules have no other.
    add(match[2]!, match.index, !isType, isType || kind === "class")
  }
  for (const match of source.matchAll(list)) {
    let offset = match.index + match[0].indexOf("{") + 1
    for (const item of match[2]!.split(",")) {
      const text = item.replaceAll(/\/\*[\s\S]*?\*\//g, "").trim()
      const name = /(?:^|\s)([\w$]+)$/.exec(text)?.[1]
      const original = /^(?:type )?([\w$]+)/.exec(text)?.[1]
      const module = match[3] ?? importOf(original)
      const origin = module === undefined ? undefined : exportsOf(read(module)).find((_) => _.name === original)
      if (name !== undefined) {
        const isType = match[1] !== undefined || text.startsWith("type ")
        // In a list each name has its own comment, or the list has one.
        const start = offset + item.length - item.replace(/^\s*(?:\/\*[\s\S]*?\*\/\s*)?/, "").length
        add(name, docBefore(start) === undefined ? match.index : start, !isType, isType, origin)
      }
      offset += item.length + 1
    }
  }
  return [...new Set(found.map((_) => _.name))].map((name) => {
    const all = found.filter((_) => _.name === name)
    return {
      name,
      line: all[0]!.line,
      isValue: all.some((_) => _.isValue),
      isType: all.some((_) => _.isType),
      hasDoc: all.some((_) => _.hasDoc),
      hasExample: all.some((_) => _.hasExample)
    }
  })
}

/** The doc comments that are missing, as `file:line: what`. */
export const missingDocs = (file: string, exports: ReadonlyArray<Export>): Array<string> =>
  exports.flatMap((_) => {
    const where = `${file}:${_.line}: ${_.name}`
    if (!_.hasDoc) return [`${where} has no doc comment`]
    return _.isValue && !_.hasExample ? [`${where} has no **Example** that runs`] : []
  })

/** The names that the headings of a reference page speak of. */
export const headedNames = (markdown: string, module: string): Set<string> => {
  const names = new Set<string>()
  let fenced = false
  for (const line of markdown.split(/\r?\n/)) {
    if (line.trimStart().startsWith("```")) fenced = !fenced
    const heading = fenced ? null : /^#{2,6} +(.*)$/.exec(line)
    if (heading === null) continue
    // "### `open`", "## Nursery.open", "### `moveOnAt`, `failAt`", "### `catchTag(tag, handler)`"
    const text = heading[1]!.replaceAll("`", "").replaceAll(/\(.*?\)|<.*?>/g, "")
    for (const part of text.split(/,|\band\b|\//)) {
      const name = /^([A-Za-z_$][\w$.]*)/.exec(part.trim())?.[1]
      if (name !== undefined) names.add(name.startsWith(`${module}.`) ? name.slice(module.length + 1) : name)
    }
  }
  return names
}
