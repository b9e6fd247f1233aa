/** What a person is told on standard error: as wide and as high as the terminal, in colour if it wants that. */
import { styleText } from "node:util"
import type * as Cause from "effect/Cause"
import * as Failures from "../../core/Failures.ts"
import * as TaskTree from "../../core/TaskTree.ts"

type Style = Parameters<typeof styleText>[0]

const styles: { readonly [Role in Failures.Role]: Style | undefined } = {
  title: ["bold", "red"],
  line: "gray",
  name: "bold",
  error: "red",
  place: "cyan",
  note: "gray"
}

// `styleText` knows NO_COLOR, FORCE_COLOR, and whether this is a terminal.
const styled = (role: Failures.Role, text: string): string => {
  const style = styles[role]
  return style === undefined ? text : styleText(style, text, { stream: process.stderr })
}

/** Lines that fit above the prompt, and columns. Logs get what the smallest terminal has. */
const size = (): { readonly rows: number; readonly columns: number } => ({
  rows: Math.max(4, (process.stderr.rows || 24) - 1),
  columns: Math.max(40, process.stderr.columns || 80)
})

const isTask = (node: TaskTree.Node): boolean => node.kind === "task" || node.kind === "service"

const countTasks = (roots: ReadonlyArray<TaskTree.Node>): number => {
  let count = 0
  const todo = [...roots]
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (isTask(node)) count++
    for (const child of node.children) todo.push(child)
  }
  return count
}

export class Screen {
  /** Which program speaks, where several share a terminal. */
  private readonly prefix: string

  constructor(name: string | undefined) {
    this.prefix = name === undefined ? "" : `${name}: `
  }

  /** One line, or several. */
  tell(text: string): void {
    process.stderr.write(`${this.prefix}${text}\n`)
  }

  /** Failures as a tree of nurseries and tasks. */
  tellFailures(cause: Cause.Cause<unknown>): void {
    this.tell(Failures.pretty(cause, { ...size(), places: true, folder: process.cwd(), style: styled }))
  }

  /** Everything that runs, and what it waits for. */
  tellTasks(title: string): void {
    const roots = TaskTree.nowUnsafe()
    const count = countTasks(roots)
    this.tell(`${title}${count === 1 ? "1 task" : `${count} tasks`}\n${TaskTree.toText(roots)}`)
  }

  /** The same, as far as it fits. */
  tellTasksShortly(title: string): void {
    const lines = TaskTree.toText(TaskTree.nowUnsafe()).split("\n")
    const { rows } = size()
    const shown = lines.length <= rows - 1 ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`]
    this.tell([title, ...shown].join("\n"))
  }
}
