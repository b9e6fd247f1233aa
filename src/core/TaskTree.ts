/**
 * The tasks of a running program: who lives, under whom, and what each waits for.
 *
 * Reading costs the running program nothing: the tree is made from the nurseries'
 * own lists at the moment somebody asks. To be told of every change instead,
 * provide a {@link Recorder}.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Block, type Member, Place, roots } from "./internal/Block.ts"
import { countBelow, fold, type Folded, type Looks, nameOf, numberAtEnd } from "./internal/FoldedTree.ts"
import { recorded } from "./internal/Recorder.ts"
import { ScopeBlock } from "./internal/ScopeBlock.ts"
import { TaskMember } from "./internal/TaskMember.ts"

import type { BlockView, Cleanup as CleanupShape, MemberView, Recorder as RecorderShape, WaitView } from "./internal/Recorder.ts"

/**
 * What a recorder is told, as it happens. Its calls are synchronous and must not throw.
 *
 * @since 0.1.0
 */
export interface Recorder extends RecorderShape {}

/**
 * A block as a recorder sees it.
 *
 * @since 0.1.0
 */
export interface BlockInfo extends BlockView {}

/**
 * A task, or the body of a block, as a recorder sees it.
 *
 * @since 0.1.0
 */
export interface TaskInfo extends MemberView {}

/**
 * A wait as a recorder sees it.
 *
 * @since 0.1.0
 */
export interface WaitInfo extends WaitView {}

/**
 * What a task that was told to stop is busy with, if it does not end at once: its
 * `finalizer`, or something that it was in and that cannot be stopped: an
 * `uninterruptible` region or a `shield`.
 *
 * @since 0.1.0
 */
export type Cleanup = CleanupShape

/**
 * A task, a body, or a block of the tree.
 *
 * @since 0.1.0
 */
export interface Node {
  readonly kind: "task" | "service" | "body" | BlockView["kind"]
  readonly name: string
  /** Of a block: `open`, `cancelling`. Of a task: `starting`, `running`, `waiting`, `cancelling`. */
  readonly state: "open" | "starting" | "running" | "waiting" | "cancelling"
  /** What it waits for, if that is known: things of this library say so, Effect's own do not. */
  readonly waitsFor: ReadonlyArray<string>
  readonly children: ReadonlyArray<Node>
}

const blocksOf = (member: Member): Array<Block> => {
  const blocks: Array<Block> = member.inner === undefined ? [] : [member.inner]
  for (let branch = member.branches; branch !== undefined; branch = branch.nextBeside) blocks.push(branch)
  return blocks
}

const waitsOf = (member: Member): Array<string> => {
  const waits: Array<string> = []
  for (let wait = member.waits; wait !== undefined; wait = wait.beside) waits.push(wait.label)
  return waits
}

interface Draft extends Node {
  children: Array<Draft>
}

const taskDraft = (member: Member, running: ReadonlySet<Member>): Draft => ({
  kind: member instanceof TaskMember ? (member.service ? "service" : "task") : member.name === "body" ? "body" : "task",
  name: member.name,
  state: member.told !== undefined
    ? "cancelling"
    : running.has(member) ? "running" : member.effect !== undefined ? "starting" : "waiting",
  waitsFor: waitsOf(member),
  children: []
})

const blockDraft = (block: Block): Draft => ({
  kind: block.kind,
  name: block.name,
  state: isCancelling(block) ? "cancelling" : "open",
  waitsFor: [],
  children: []
})

const isCancelling = (block: Block): boolean =>
  (block.told !== undefined && !block.shielded) || (block instanceof ScopeBlock && block.reason !== undefined)

// With a list instead of recursion: 100,000 nested nurseries have a tree, too.
const treeOf = (tops: Iterable<Block>): ReadonlyArray<Node> => {
  const running = new Set<Member>()
  for (let member = Fiber.getCurrent()?.getRef(Place); member !== undefined; member = member.block.parent) running.add(member)
  const result: Array<Draft> = []
  const todo: Array<readonly [block: Block, into: Array<Draft>]> = []
  for (const block of tops) todo.push([block, result])
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [block, into] = next
    const draft = blockDraft(block)
    into.push(draft)
    for (let member = block.first; member !== undefined; member = member.next) {
      const child = taskDraft(member, running)
      draft.children.push(child)
      for (const inner of blocksOf(member)) todo.push([inner, child.children])
    }
  }
  return result
}

/**
 * The tree now, of every program in this process.
 *
 * **Example** (A nursery with one task)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Event, Nursery, TaskTree } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const go = yield* Event.make({ name: "go" })
 *     yield* n.startNow(go.wait, { name: "runner" })
 *     console.log(TaskTree.toText(yield* TaskTree.now))
 *     yield* go.set
 *   }), { name: "race" })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * nursery race
 * ├─ body (running)
 * └─ runner (waiting for event go)
 * ```
 *
 * @since 0.1.0
 */
export const now: Effect.Effect<ReadonlyArray<Node>> = /* @__PURE__ */ Effect.sync(() => treeOf(roots()))

/**
 * The same, for signal handlers and debuggers.
 *
 * **Example** (Nothing runs)
 *
 * ```ts
 * import { TaskTree } from "effect-nursery"
 *
 * console.log(TaskTree.nowUnsafe())
 * ```
 *
 * ```text output
 * []
 * ```
 *
 * @since 0.1.0
 */
export const nowUnsafe = (): ReadonlyArray<Node> => treeOf(roots())

/**
 * How a tree is drawn.
 *
 * @since 0.1.0
 */
export interface TextOptions {
  /** Draw equal subtrees once, with their number. Default `true`. */
  readonly fold?: boolean
}

const isTask = (node: Node): boolean => node.kind === "task" || node.kind === "service" || node.kind === "body"

const looksOf = (node: Node): Looks<Node> => ({
  tag: `${node.kind} ${node.state}`,
  texts: [node.name, ...node.waitsFor],
  children: node.children
})

const title = (folded: Folded<Node>): string => {
  const { count, node, texts } = folded
  const named = nameOf(folded)
  if (!isTask(node)) {
    const block = node.name === node.kind && count === 1 ? node.kind : `${node.kind} ${named}`
    return `${block}${node.state === "open" ? "" : ` (${node.state})`}`
  }
  const waits = texts.slice(1).join(", ")
  const state = waits === "" ? node.state : `${node.state === "cancelling" ? "cancelling, " : ""}${waits}`
  return `${node.kind === "service" ? "service " : ""}${named} (${state})`
}

/**
 * The tree as text.
 *
 * **Details**
 *
 * Three or more equal subtrees below one node are drawn once, with their number.
 * The number at the end of a name or of what is waited for may differ; a
 * difference of state, or of what stands below, keeps them apart.
 *
 * **Example** (Many of a kind)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel, Nursery, TaskTree } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [, receiver] = yield* MemoryChannel.make<string>(0, { name: "inbox" })
 *     for (let i = 1; i <= 990; i++) yield* n.startNow(receiver.receive, { name: `conn ${i}` })
 *     yield* n.startNow(Effect.never, { name: "heartbeat" })
 *     console.log(TaskTree.toText(yield* TaskTree.now))
 *     yield* n.cancelTasks()
 *   }), { name: "chat" })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * nursery chat
 * ├─ body (running)
 * ├─ conn 1 … conn 990 × 990 (receiving from channel inbox)
 * └─ heartbeat (waiting)
 * ```
 *
 * @since 0.1.0
 */
export const toText = (nodes: ReadonlyArray<Node>, options?: TextOptions): string => {
  const lines: Array<string> = []
  const todo: Array<readonly [node: Folded<Node>, head: string, indent: string, depth: number]> = []
  const add = (children: ReadonlyArray<Folded<Node>>, indent: string, depth: number): void => {
    for (let i = children.length - 1; i >= 0; i--) {
      const last = i === children.length - 1
      todo.push([children[i]!, `${indent}${last ? "└─ " : "├─ "}`, `${indent}${last ? "   " : "│  "}`, depth])
    }
  }
  const tops = fold(nodes, looksOf, numberAtEnd, options?.fold === false ? Infinity : undefined)
  for (let i = tops.length - 1; i >= 0; i--) todo.push([tops[i]!, "", "", 0])
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [node, head, indent, depth] = next
    lines.push(`${head}${title(node)}`)
    if (depth < deepestLine) add(node.children, indent, depth + 1)
    else if (node.children.length > 0) lines.push(`${indent}└─ … ${countBelow(node)} more`)
  }
  return lines.join("\n")
}

/** Below this depth the text only counts: every level takes three more columns. */
const deepestLine = 100

/**
 * The tree as JSON text.
 *
 * **Example** (Names only)
 *
 * ```ts
 * import { TaskTree } from "effect-nursery"
 *
 * const node: TaskTree.Node = { kind: "nursery", name: "chat", state: "open", waitsFor: [], children: [] }
 * console.log(TaskTree.toJson([node]))
 * ```
 *
 * ```text output
 * [{"kind":"nursery","name":"chat","state":"open","waitsFor":[],"children":[]}]
 * ```
 *
 * @since 0.1.0
 */
export const toJson = (nodes: ReadonlyArray<Node>): string => JSON.stringify(nodes)

/**
 * Tells a recorder of every nursery, task, wait and cancellation of an effect. A
 * recorder around it goes on to be told of them, too.
 *
 * **Example** (What started)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery, TaskTree } from "effect-nursery"
 *
 * const nothing = () => {}
 * const recorder: TaskTree.Recorder = {
 *   opened: (block) => console.log("opened", block.name),
 *   closed: (block, exit) => console.log("closed", block.name, exit._tag),
 *   started: nothing, ended: nothing, cancelled: nothing, waiting: nothing, resumed: nothing
 * }
 *
 * await Effect.runPromise(Nursery.open(() => Effect.void, { name: "empty" }).pipe(TaskTree.record(recorder)))
 * ```
 *
 * ```text output
 * opened empty
 * closed empty Success
 * ```
 *
 * @since 0.1.0
 */
export const record = (recorder: Recorder) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  recorded(self, recorder)
