/**
 * The line that is being typed: a state, and what each key makes of it. Nothing here knows of a terminal.
 *
 * The keys are those of every shell (readline's Emacs keys), so that fingers need not learn anything.
 */
import { clustersOf } from "./Clusters.ts"
import type { Key } from "./Keys.ts"

export interface Editor {
  /** The characters of the line; a line break that was pasted is one of them. */
  readonly clusters: ReadonlyArray<string>
  /** How many of them stand before the cursor. */
  readonly cursor: number
  /** The lines that were entered before, oldest first. */
  readonly history: ReadonlyArray<string>
  /** Which of them is shown; `history.length` is the line that is being typed. */
  readonly at: number
  /** What had been typed when somebody went up into the history. */
  readonly draft: string
  /** What was killed last, for Ctrl-Y. */
  readonly killed: string
}

/** What a key means to the program. */
export type Outcome =
  | { readonly _tag: "Entered"; readonly text: string }
  /** Ctrl-C. */
  | { readonly _tag: "Interrupt" }
  /** Ctrl-D with nothing typed. */
  | { readonly _tag: "End" }
  /** Ctrl-L. */
  | { readonly _tag: "Redraw" }
  /** Ctrl-Z. */
  | { readonly _tag: "Suspend" }
  /** There is no room for more. */
  | { readonly _tag: "Full" }

export interface Edited {
  readonly editor: Editor
  readonly outcome?: Outcome
}

/** More characters than this are no line that somebody types. */
export const mostClusters = 65_536

const mostHistory = 500

export const emptyEditor: Editor = { clusters: [], cursor: 0, history: [], at: 0, draft: "", killed: "" }

export const textIn = (editor: Editor): string => editor.clusters.join("")

/** What a key makes of the line. */
export const press = (editor: Editor, key: Key): Edited => {
  if (key._tag === "Text") return insert(editor, key.text)
  if (key._tag === "Paste") return insert(editor, withoutControls(key.text))
  const outcome = outcomes[key.name]
  if (outcome !== undefined) return { editor, outcome }
  if (key.name === "enter") return enter(editor)
  if (key.name === "ctrl-d" && editor.clusters.length === 0) return { editor, outcome: { _tag: "End" } }
  const command = commands[key.name]
  if (command !== undefined) return { editor: command(editor) }
  // Escape, then a letter that is no command: the letter was typed, and must not be lost.
  const letter = /^alt-(\P{Cc})$/u.exec(key.name)
  return letter === null ? { editor } : insert(editor, letter[1]!)
}

const outcomes: Readonly<Record<string, Outcome>> = {
  "ctrl-c": { _tag: "Interrupt" },
  "ctrl-l": { _tag: "Redraw" },
  "ctrl-z": { _tag: "Suspend" }
}

// oxlint-disable-next-line no-control-regex
const withoutControls = (text: string): string => text.replace(/\t/g, "    ").replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, "")

/**
 * A text with the cursor behind so many code units. It is cut up anew: a mark joins the letter before it, and half a flag
 * the other half, wherever they come to stand side by side. If the cursor would be inside of a character then, it goes
 * behind it.
 */
const recut = (editor: Editor, text: string, units: number): Editor => {
  const clusters = clustersOf(text)
  let cursor = 0
  for (let at = 0; at < units; at += clusters[cursor++]!.length);
  return { ...editor, clusters, cursor }
}

const before = ({ clusters, cursor }: Editor): string => clusters.slice(0, cursor).join("")
const after = ({ clusters, cursor }: Editor): string => clusters.slice(cursor).join("")

const insert = (editor: Editor, text: string): Edited => {
  const front = before(editor) + text
  const inserted = recut(editor, front + after(editor), front.length)
  return inserted.clusters.length > mostClusters ? { editor, outcome: { _tag: "Full" } } : { editor: inserted }
}

const enter = (editor: Editor): Edited => {
  const text = textIn(editor)
  const known = text.trim() === "" || editor.history.at(-1) === text
  const history = known ? editor.history : [...editor.history, text].slice(-mostHistory)
  return {
    editor: { ...editor, clusters: [], cursor: 0, history, at: history.length, draft: "" },
    outcome: { _tag: "Entered", text }
  }
}

const moveTo = (editor: Editor, cursor: number): Editor => ({ ...editor, cursor: Math.min(Math.max(cursor, 0), editor.clusters.length) })

/** Takes out what stands between the cursor and there. */
const cutTo = (editor: Editor, to: number, keep: boolean): Editor => {
  const { clusters, cursor } = editor
  const from = Math.max(0, Math.min(cursor, to))
  const until = Math.min(clusters.length, Math.max(cursor, to))
  if (from === until) return editor
  const front = clusters.slice(0, from).join("")
  const killed = keep ? clusters.slice(from, until).join("") : editor.killed
  return { ...recut(editor, front + clusters.slice(until).join(""), front.length), killed }
}

const isWord = (cluster: string | undefined): boolean => cluster !== undefined && /[\p{L}\p{N}_]/u.test(cluster)
const isSpace = (cluster: string | undefined): boolean => cluster !== undefined && /^\s/.test(cluster)

const wordLeft = ({ clusters, cursor }: Editor): number => {
  let at = cursor
  while (at > 0 && !isWord(clusters[at - 1])) at--
  while (at > 0 && isWord(clusters[at - 1])) at--
  return at
}

const wordRight = ({ clusters, cursor }: Editor): number => {
  let at = cursor
  while (at < clusters.length && !isWord(clusters[at])) at++
  while (at < clusters.length && isWord(clusters[at])) at++
  return at
}

/** Ctrl-W goes by spaces, so that it takes a path or an address as a whole. */
const blankLeft = ({ clusters, cursor }: Editor): number => {
  let at = cursor
  while (at > 0 && isSpace(clusters[at - 1])) at--
  while (at > 0 && !isSpace(clusters[at - 1])) at--
  return at
}

const recall = (editor: Editor, at: number): Editor => {
  const { history } = editor
  if (at < 0 || at > history.length || at === editor.at) return editor
  const draft = editor.at === history.length ? textIn(editor) : editor.draft
  const clusters = clustersOf(at === history.length ? draft : history[at]!)
  return { ...editor, clusters, cursor: clusters.length, at, draft }
}

const transpose = (editor: Editor): Editor => {
  const { clusters, cursor } = editor
  const second = Math.min(cursor, clusters.length - 1)
  if (second < 1) return editor
  const front = [...clusters.slice(0, second - 1), clusters[second], clusters[second - 1]].join("")
  return recut(editor, front + clusters.slice(second + 1).join(""), front.length)
}

type Command = (editor: Editor) => Editor

const left: Command = (editor) => moveTo(editor, editor.cursor - 1)
const right: Command = (editor) => moveTo(editor, editor.cursor + 1)
const home: Command = (editor) => moveTo(editor, 0)
const end: Command = (editor) => moveTo(editor, Infinity)
const up: Command = (editor) => recall(editor, editor.at - 1)
const down: Command = (editor) => recall(editor, editor.at + 1)
const toWordLeft: Command = (editor) => moveTo(editor, wordLeft(editor))
const toWordRight: Command = (editor) => moveTo(editor, wordRight(editor))
const backspace: Command = (editor) => cutTo(editor, editor.cursor - 1, false)
const erase: Command = (editor) => cutTo(editor, editor.cursor + 1, false)
const killWordLeft: Command = (editor) => cutTo(editor, wordLeft(editor), true)
const killWordRight: Command = (editor) => cutTo(editor, wordRight(editor), true)

const commands: Readonly<Record<string, Command>> = {
  left,
  right,
  home,
  end,
  up,
  down,
  backspace,
  delete: erase,
  "ctrl-b": left,
  "ctrl-f": right,
  "ctrl-a": home,
  "ctrl-e": end,
  "ctrl-p": up,
  "ctrl-n": down,
  "ctrl-h": backspace,
  "ctrl-d": erase,
  "ctrl-left": toWordLeft,
  "alt-left": toWordLeft,
  "alt-b": toWordLeft,
  "ctrl-right": toWordRight,
  "alt-right": toWordRight,
  "alt-f": toWordRight,
  "ctrl-u": (editor) => cutTo(editor, 0, true),
  "ctrl-k": (editor) => cutTo(editor, Infinity, true),
  "ctrl-w": (editor) => cutTo(editor, blankLeft(editor), true),
  "alt-backspace": killWordLeft,
  "ctrl-delete": killWordRight,
  "alt-d": killWordRight,
  "ctrl-y": (editor) => insert(editor, editor.killed).editor,
  "ctrl-t": transpose
}
