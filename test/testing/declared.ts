/**
 * The operations of the library: everything public that is an effect or a stream, or a function that
 * gives one. Read from the declarations that the compiler writes for users.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const root = path.resolve(import.meta.dirname, "../..")

const floors = ["core", "net", "node", "observe", "testing"]

const givesOne = /\b(?:Effect\.Effect|Stream\.Stream)</

const withoutComments = (source: string) => source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")

/** Each exported declaration of a file: its kind, its name, and its whole text. */
const declarations = (source: string) =>
  withoutComments(source).split(/^(?=(?:export )?(?:declare )?(?:const|function|class|interface|type) )/m).flatMap((text) => {
    const match = /^(?:export )?(?:declare )?(const|function|class|interface|type) ([\w$]+)/.exec(text)
    return match === null ? [] : [{ kind: match[1]!, name: match[2]!, isExported: text.startsWith("export"), text }]
  })

/** The members of an interface or class: what begins at the first level of indentation. */
const members = (text: string) =>
  text.split(/\n(?= {4}[\w$(<[])/).slice(1).flatMap((member) => {
    const match = /^ {4}(?:readonly )?([\w$]+)\??[(<:]/.exec(member)
    return match === null ? [] : [{ name: match[1]!, text: member }]
  })

const isCallable = (text: string) => text.split("\n").some((line) => /^ {4}[(<]/.test(line))

const items = (list: string) =>
  list.split(",").flatMap((item) => {
    const match = /^\s*(?:type )?([\w$]+)(?: as ([\w$]+))?\s*$/.exec(item)
    return match === null ? [] : [{ original: match[1]!, name: match[2] ?? match[1]! }]
  })

/** The names that a file passes on: `export { a as b } from "./x.ts"`, and `export { a }` of what it imports from there. */
const passedOn = (source: string) => {
  const lists = [...withoutComments(source).matchAll(/^(import|export) (?:type )?\{([^}]*)\}(?: from "(\.[^"]+)")?/gm)]
  const imported = new Map(lists.flatMap(([, kind, list, from]) =>
    kind === "import" && from !== undefined ? items(list!).map((_) => [_.name, { from, original: _.original }] as const) : []
  ))
  return lists.flatMap(([, kind, list, from]) =>
    kind === "import" ? [] : items(list!).flatMap(({ name, original }) => {
      const origin = from === undefined ? imported.get(original) : { from, original }
      return origin === undefined ? [] : [{ ...origin, name }]
    })
  )
}

/** Gives the declarations of a file by its path from the first one. */
type Read = (file: string) => string

/**
 * The operations of the declarations that `shown` gives a name, and of those that are passed on from
 * other files: a user sees both under the same namespace.
 */
const operationsBelow = (file: string, read: Read, shown: (name: string, isExported: boolean) => string | undefined): Array<string> => {
  const source = read(file)
  const found: Array<string> = []
  const all = declarations(source)
  // Interfaces of functions, such as `Timeout.Dual`: who has such a type gives what they give.
  const functions = all.filter((_) => _.kind === "interface" && isCallable(_.text) && givesOne.test(_.text)).map((_) => _.name)
  const isOne = (text: string) => givesOne.test(text) || functions.some((name) => new RegExp(`\\b${name}<`).test(text))
  for (const { isExported, kind, name: declared, text } of all) {
    const name = shown(declared, isExported)
    // What users give the library is no operation of it.
    if (name === undefined || name.endsWith("Options")) continue
    if (kind === "interface" || kind === "class") {
      for (const member of members(text)) if (isOne(member.text)) found.push(`${name}.${member.name}`)
    } else if (kind !== "type" && isOne(text)) found.push(name)
  }
  for (const { from, name, original } of passedOn(source)) {
    const visible = shown(name, true)
    if (visible === undefined) continue
    const origin = path.posix.join(path.posix.dirname(file), from)
    found.push(...operationsBelow(origin, read, (declared, isExported) => isExported && declared === original ? visible : undefined))
  }
  return found
}

/** The operations that one declaration file shows, such as `Event.make` and `Event.Event.set`. */
export const operationsOf = (module: string, file: string, read: Read): Array<string> => [
  ...new Set(operationsBelow(file, read, (name, isExported) => isExported ? name : undefined).map((name) => `${module}.${name}`))
]

/** The operations of every public module. */
export const declaredOperations = (): Array<string> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-declared-"))
  try {
    const { stdout } = spawnSync(
      path.join(root, "node_modules", ".bin", "tsc"),
      ["-p", "tsconfig.build.json", "--outDir", folder, "--emitDeclarationOnly", "--declarationMap", "false", "--pretty", "false"],
      { cwd: root, encoding: "utf8" }
    )
    if (!fs.existsSync(path.join(folder, "core", "Nursery.d.ts"))) throw new Error(`tsc wrote no declarations:\n${stdout}`)
    // The compiler leaves the names of imports as they are, so that `./internal/X.ts` means X.d.ts beside it.
    const read = (floor: string): Read => (file) => fs.readFileSync(path.join(folder, floor, file.replace(/(?<!\.d)\.ts$/, ".d.ts")), "utf8")
    return floors.flatMap((floor) =>
      (fs.existsSync(path.join(folder, floor)) ? fs.readdirSync(path.join(folder, floor)) : [])
        .filter((file) => file.endsWith(".d.ts") && file !== "index.d.ts").sort()
        .flatMap((file) => operationsOf(path.basename(file, ".d.ts"), file, read(floor)))
    )
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
