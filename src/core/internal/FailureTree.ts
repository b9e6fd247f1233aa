/** Draws failures as a tree of the nurseries and tasks that they came through. */
import * as Cause from "effect/Cause"
import { format } from "effect/Formatter"
import { allNumbers, type Blur, fold, type Folded, nameOf, numberAtEnd } from "./FoldedTree.ts"
import { type Passed, pathOf } from "./Named.ts"
import { framesOf, spanFramesOf } from "./StackFrames.ts"

export type Failed = Cause.Fail<unknown> | Cause.Die

/** What a piece of the picture is. */
export type Role = "title" | "line" | "name" | "error" | "place" | "note"

/** How it is drawn. */
export interface Drawing {
  readonly rows: number
  readonly columns: number
  /** Say below each error where it was made, and what caused it. */
  readonly places: boolean
  readonly folder: string | undefined
  readonly style: (role: Role, text: string) => string
}

/** A block, a task, or an error that left one. */
interface Branch {
  readonly name: string
  readonly reason: Failed | undefined
  readonly branches: Map<string, Branch>
  readonly leaves: Array<Branch>
}

const branch = (name: string, reason?: Failed): Branch => ({ name, reason, branches: new Map(), leaves: [] })

/** How much is said, from everything down to what fits a small screen. */
interface Detail {
  readonly places: number
  readonly causes: number
  /** Lines of one message. */
  readonly lines: number
  /** Branches of one node. */
  readonly width: number
  /** Names that have nothing else beside them stand in one line. */
  readonly joined: boolean
  /** And the error, too. */
  readonly inline: boolean
  /** What may differ in equal failures; `undefined`: nothing is folded. */
  readonly blur: Blur | undefined
}

const everything: Detail = { places: 3, causes: 5, lines: Infinity, width: Infinity, joined: false, inline: false, blur: undefined }

const lessAndLess: ReadonlyArray<Detail> = [
  everything,
  { ...everything, blur: numberAtEnd },
  { ...everything, blur: numberAtEnd, places: 1, lines: 8 },
  { places: 1, causes: 2, lines: 4, width: Infinity, joined: true, inline: false, blur: numberAtEnd },
  { places: 1, causes: 2, lines: 3, width: Infinity, joined: true, inline: false, blur: allNumbers },
  { places: 1, causes: 1, lines: 2, width: Infinity, joined: true, inline: true, blur: allNumbers },
  ...[24, 16, 12, 8, 6, 5, 4, 3, 2, 1].flatMap((width): Array<Detail> => [
    { places: 1, causes: 1, lines: 2, width, joined: true, inline: true, blur: allNumbers },
    { places: 1, causes: 0, lines: 1, width, joined: true, inline: true, blur: allNumbers },
    { places: 0, causes: 0, lines: 1, width, joined: true, inline: true, blur: allNumbers }
  ])
]

/** The picture, in as much detail as fits. */
export const draw = (failures: ReadonlyArray<Failed>, cancelled: string | undefined, drawing: Drawing): string => {
  const root = branch("")
  if (cancelled !== undefined) root.leaves.push(branch(cancelled))
  for (const reason of failures) add(root, reason)
  const top = [...root.leaves, ...root.branches.values()]
  const title = failures.length === 1 ? "1 failure" : `${failures.length} failures`
  if (drawing.rows === Infinity) return new Picture(drawing, everything).draw(title, folded(top, undefined)).join("\n")
  const foldings = new Map<Blur | undefined, ReadonlyArray<Folded<Branch>>>()
  let lines: ReadonlyArray<string> = []
  for (const detail of lessAndLess) {
    let nodes = foldings.get(detail.blur)
    if (nodes === undefined) foldings.set(detail.blur, nodes = folded(top, detail.blur))
    lines = new Picture(drawing, detail).draw(title, nodes)
    if (lines.length <= drawing.rows) return lines.join("\n")
  }
  return [...lines.slice(0, Math.max(1, drawing.rows - 1)), drawing.style("note", "…")].slice(0, Math.max(1, drawing.rows)).join("\n")
}

const add = (root: Branch, reason: Failed): void => {
  let node = root
  for (const name of shortened(pathOf(reason))) {
    let next = node.branches.get(name)
    if (next === undefined) node.branches.set(name, next = branch(name))
    node = next
  }
  node.leaves.push(branch(headline(reason), reason))
}

/** How many blocks of a path are shown from outside, and as many from inside. */
const shownOfPath = 8

const shortened = (path: ReadonlyArray<Passed>): ReadonlyArray<string> => {
  const names = (part: ReadonlyArray<Passed>) => part.flatMap(({ block, task }) => [block, task])
  const hidden = path.length - 2 * shownOfPath
  if (hidden <= 1) return names(path)
  return [...names(path.slice(0, shownOfPath)), `… ${hidden} blocks more …`, ...names(path.slice(-shownOfPath))]
}

const childrenOf = (node: Branch): ReadonlyArray<Branch> => [...node.leaves, ...node.branches.values()]

const folded = (nodes: ReadonlyArray<Branch>, blur: Blur | undefined): ReadonlyArray<Folded<Branch>> =>
  fold(nodes, (node) => ({ tag: node.reason?._tag ?? "name", texts: [node.name], children: childrenOf(node) }), blur ?? numberAtEnd,
    blur === undefined ? Infinity : undefined)

/** What kind of error it is, and what it says. */
const headline = (reason: Failed): string => {
  const text = said(reason._tag === "Fail" ? reason.error : reason.defect)
  return reason._tag === "Fail" ? text : `${text} (defect)`
}

const said = (value: unknown): string => {
  try {
    return printable(wordsOf(value))
  } catch {
    // A message may be a getter of somebody else's that fails.
    return "an error that cannot be printed"
  }
}

const wordsOf = (value: unknown): string => {
  if (!(value instanceof Error)) return typeof value === "string" ? value : format(value)
  if (value.message !== "") return value.message === value.name ? value.name : `${value.name}: ${value.message}`
  // An error of data says what happened in its fields.
  const fields = Object.entries(value).filter(([key]) => !wellKnown.has(key))
  return fields.length === 0 ? value.name : `${value.name} ${format(Object.fromEntries(fields))}`
}

const wellKnown = new Set(["_tag", "name", "message", "stack", "cause", "errors"])

/** Without what would move the cursor or change the colour of a terminal. */
const printable = (text: string): string =>
  text.replace(colours, "").replaceAll("\r\n", "\n").replaceAll("\t", "  ").replace(/[^\P{Cc}\n]/gu, (char) =>
    `\\x${char.codePointAt(0)!.toString(16).padStart(2, "0")}`)

const colours = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g")

class Picture {
  private readonly drawing: Drawing
  private readonly detail: Detail
  private readonly lines: Array<string> = []

  constructor(drawing: Drawing, detail: Detail) {
    this.drawing = drawing
    this.detail = detail
  }

  /** The lines; a few more than there is room for say that there are too many. */
  draw(title: string, nodes: ReadonlyArray<Folded<Branch>>): ReadonlyArray<string> {
    this.lines.push(this.drawing.style("title", title))
    const todo: Array<readonly [item: Folded<Branch> | string, indent: string, last: boolean]> = []
    const addAll = (items: ReadonlyArray<Folded<Branch>>, indent: string): void => {
      const shown = items.length <= this.detail.width + 1 ? items.length : this.detail.width
      if (shown < items.length) todo.push([`… ${countOf(items.slice(shown))} more`, indent, true])
      for (let i = shown - 1; i >= 0; i--) todo.push([items[i]!, indent, i === items.length - 1])
    }
    addAll(nodes, "")
    for (let next = todo.pop(); next !== undefined && this.lines.length <= this.drawing.rows; next = todo.pop()) {
      const [item, indent, last] = next
      const head = `${indent}${last ? "└─ " : "├─ "}`
      const below = `${indent}${last ? "   " : "│  "}`
      if (typeof item === "string") {
        this.write(head, below, "note", item)
        continue
      }
      const [name, end] = this.joined(item)
      const error = this.detail.inline && name.length * 2 < this.roomBeside(head) ? onlyError(end) : undefined
      if (error !== undefined) this.write(head, below, "error", nameOf(error), this.detail.lines, `${name}: `)
      else this.write(head, below, item.node.reason === undefined ? "name" : "error", name, this.detail.lines)
      const { reason } = (error ?? item).node
      if (reason !== undefined && this.drawing.places) this.explain(reason, below)
      if (error === undefined) addAll(end.children, below)
    }
    return this.lines
  }

  /** A node and those below it that have nothing beside them, as one line, and the last of them. */
  private joined(node: Folded<Branch>): readonly [name: string, end: Folded<Branch>] {
    let name = nameOf(node)
    let end = node
    if (!this.detail.joined || node.node.reason !== undefined) return [name, end]
    for (;;) {
      const only = end.children[0]
      if (end.children.length !== 1 || only!.node.reason !== undefined) return [name, end]
      name += ` › ${nameOf(only!)}`
      end = only!
    }
  }

  private explain(reason: Failed, below: string): void {
    const { folder } = this.drawing
    let value = reason._tag === "Fail" ? reason.error : reason.defect
    let frames = this.framesOf(value)
    if (frames.length === 0) frames = spanFramesOf(reason, folder)
    this.places(frames, below)
    const seen = new Set([value])
    let causes = 0
    for (;;) {
      this.several(value, below)
      value = causeOf(value)
      if (value === undefined || seen.has(value)) return
      if (++causes > this.detail.causes) return
      seen.add(value)
      this.write(below, `${below}  `, "note", `caused by ${said(value)}`, this.detail.lines)
      this.places(this.framesOf(value), `${below}  `)
    }
  }

  private framesOf(value: unknown): ReadonlyArray<string> {
    return value instanceof Error && typeof value.stack === "string" ? framesOf(value.stack, this.drawing.folder) : []
  }

  private places(frames: ReadonlyArray<string>, below: string): void {
    for (const frame of frames.slice(0, this.detail.places)) this.write(below, `${below}   `, "place", `at ${frame}`, 2)
  }

  /** The errors in an AggregateError. */
  private several(value: unknown, below: string): void {
    if (!(value instanceof AggregateError) || this.detail.causes === 0) return
    const shown = value.errors.slice(0, this.detail.causes)
    for (const error of shown) this.write(`${below}• `, `${below}  `, "note", said(error), this.detail.lines)
    if (shown.length < value.errors.length) this.write(below, below, "note", `… ${value.errors.length - shown.length} more`)
  }

  private roomBeside(head: string): number {
    // However deep it is: a column of single letters helps nobody.
    return Math.max(fewestColumns, this.drawing.columns - head.length)
  }

  /** Writes a text of one or more lines, at most `most`, broken where a line would be too long. */
  private write(head: string, below: string, role: Role, text: string, most = Infinity, name = ""): void {
    const { style } = this.drawing
    const room = this.roomBeside(head.length < below.length ? below : head)
    const lines = `${name}${text}`.split("\n").flatMap((line) => broken(line, room))
    const shown = lines.slice(0, most)
    if (shown.length < lines.length) shown[most - 1] = ended(shown[most - 1]!, room)
    for (let i = 0; i < shown.length; i++) {
      const own = i === 0 ? shown[i]!.slice(name.length) : shown[i]!
      this.lines.push(`${style("line", i === 0 ? head : below)}${i === 0 && name !== "" ? style("name", name) : ""}${style(role, own)}`)
    }
  }
}

/** The error of a name that has nothing else below it. */
const onlyError = (node: Folded<Branch>): Folded<Branch> | undefined => {
  const only = node.children[0]
  return node.node.reason === undefined && node.children.length === 1 && only!.node.reason !== undefined ? only : undefined
}

const fewestColumns = 16

const causeOf = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || !("cause" in value)) return undefined
  const { cause } = value
  if (!Cause.isCause(cause)) return cause ?? undefined
  const reason = cause.reasons.find((reason) => reason._tag !== "Interrupt")
  return reason === undefined ? undefined : reason._tag === "Fail" ? reason.error : reason.defect
}

/** How many failures these stand for. */
const countOf = (nodes: ReadonlyArray<Folded<Branch>>): string => {
  let count = 0
  const todo: Array<readonly [Folded<Branch>, number]> = nodes.map((node) => [node, 1])
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [node, times] = next
    const all = node.count * times
    if (node.node.reason !== undefined) count += all
    for (const child of node.children) todo.push([child, all])
  }
  return String(count)
}

const broken = (line: string, room: number): Array<string> => {
  let left = Array.from(line)
  if (left.length <= room) return [line]
  const lines: Array<string> = []
  while (left.length > room) {
    const space = left.lastIndexOf(" ", room)
    const end = space > room / 2 ? space : room
    lines.push(left.slice(0, end).join(""))
    left = left.slice(space === end ? end + 1 : end)
  }
  if (left.length > 0) lines.push(left.join(""))
  return lines
}

/** A line of a text that goes on, cut between two words. */
const ended = (line: string, room: number): string => {
  const letters = Array.from(line)
  if (letters.length <= room - 2) return `${line} …`
  const space = letters.lastIndexOf(" ", room - 2)
  return `${letters.slice(0, space > room / 2 ? space : room - 2).join("")} …`
}
