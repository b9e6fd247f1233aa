/**
 * Trees for people: siblings that are equal, but for the numbers in their names,
 * are drawn as one line with a count.
 *
 * Everything here works through lists instead of recursion: 100,000 nested
 * nurseries have a tree, too.
 */

/** What of a node is compared and shown. */
export interface Looks<T> {
  /** Nodes of different tags are never equal. */
  readonly tag: string
  /** The name, and whatever else is said of it. Numbers in them may differ. */
  readonly texts: ReadonlyArray<string>
  readonly children: ReadonlyArray<T>
}

/** One node, or several that are equal. */
export interface Folded<T> {
  /** The first of them. */
  readonly node: T
  /** How many they are. */
  readonly count: number
  /** The name of the last of them. */
  readonly last: string
  /** Numbers that are not the same in all of them are replaced by `…`; the name is that of the first. */
  readonly texts: ReadonlyArray<string>
  readonly children: ReadonlyArray<Folded<T>>
}

/** Puts `mark` in place of numbers. */
export type Blur = (text: string, mark: string) => string

/** The number at the end: `conn 17`, `127.0.0.1:5123`. */
export const numberAtEnd: Blur = (text, mark) => {
  let end = text.length
  while (end > 0 && isDigit(text.charCodeAt(end - 1))) end--
  return end === text.length ? text : text.slice(0, end) + mark
}

/** Every number; an address or a time is one. */
export const allNumbers: Blur = (text, mark) => text.replace(/\d+(?:[.:]\d+)*/g, mark)

const isDigit = (code: number): boolean => code >= 48 && code <= 57

interface Draft<T> extends Folded<T> {
  count: number
  last: string
  texts: Array<string>
  children: ReadonlyArray<Draft<T>>
  /** Equal for equal subtrees. */
  id: number
}

interface Entry<T> {
  readonly node: T
  readonly looks: Looks<T>
  readonly children: Array<Draft<T>>
  readonly into: Array<Draft<T>>
}

/** Two of a kind are as easily read as a count, and lose nothing. */
const fewestFolded = 3

/** Folds equal siblings, wherever they stand among the others; the group stands where its first one did. */
export const fold = <T>(
  nodes: ReadonlyArray<T>,
  look: (node: T) => Looks<T>,
  blur: Blur,
  fewest = fewestFolded
): ReadonlyArray<Folded<T>> => {
  const top: Array<Draft<T>> = []
  const entries: Array<Entry<T>> = []
  const todo: Array<readonly [node: T, into: Array<Draft<T>>]> = []
  const add = (some: ReadonlyArray<T>, into: Array<Draft<T>>): void => {
    for (let i = some.length - 1; i >= 0; i--) todo.push([some[i]!, into])
  }
  add(nodes, top)
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const looks = look(next[0])
    const children: Array<Draft<T>> = []
    entries.push({ node: next[0], looks, children, into: next[1] })
    add(looks.children, children)
  }
  const ids = new Map<string, number>()
  // From the last to the first, so that what stands below a node is folded before it.
  for (let i = entries.length - 1; i >= 0; i--) {
    const { children, into, looks, node } = entries[i]!
    const folded = grouped(children.reverse(), blur, fewest)
    let key = looks.tag
    for (const text of looks.texts) key += `\u0000${blur(text, "")}`
    for (const child of folded) key += `\u0001${child.id}×${child.count}`
    let id = ids.get(key)
    if (id === undefined) ids.set(key, id = ids.size)
    into.push({ node, count: 1, last: looks.texts[0]!, texts: [...looks.texts], children: folded, id })
  }
  return grouped(top.reverse(), blur, fewest)
}

const grouped = <T>(drafts: Array<Draft<T>>, blur: Blur, fewest: number): ReadonlyArray<Draft<T>> => {
  if (drafts.length < fewest) return drafts
  const counts = new Map<number, number>()
  for (const draft of drafts) counts.set(draft.id, (counts.get(draft.id) ?? 0) + 1)
  if (counts.size === drafts.length) return drafts
  const groups = new Map<number, Draft<T>>()
  const result: Array<Draft<T>> = []
  for (const draft of drafts) {
    const group = groups.get(draft.id)
    if (group !== undefined) {
      group.count++
      group.last = draft.last
      merge(group, draft, blur, true)
    } else {
      result.push(draft)
      if (counts.get(draft.id)! >= fewest) groups.set(draft.id, draft)
    }
  }
  return result
}

/** Takes the words of an equal subtree into `into`. */
const merge = <T>(into: Draft<T>, other: Draft<T>, blur: Blur, keepsName: boolean): void => {
  mergeTexts(into, other, blur, keepsName)
  if (into.children.length === 0) return
  const todo: Array<readonly [Draft<T>, Draft<T>]> = []
  const add = (a: Draft<T>, b: Draft<T>): void => {
    for (let i = 0; i < a.children.length; i++) todo.push([a.children[i]!, b.children[i]!])
  }
  add(into, other)
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    mergeTexts(next[0], next[1], blur, false)
    add(next[0], next[1])
  }
}

const mergeTexts = <T>(into: Draft<T>, other: Draft<T>, blur: Blur, keepsName: boolean): void => {
  for (let i = keepsName ? 1 : 0; i < into.texts.length; i++) {
    if (into.texts[i] !== other.texts[i]) into.texts[i] = blur(into.texts[i]!, "…")
  }
  if (!keepsName && into.last !== other.last) into.last = blur(into.last, "…")
}

/** The name of a node, or of the first and the last of several, with their count. */
export const nameOf = (folded: Folded<unknown>): string => {
  const first = folded.texts[0]!
  if (folded.count === 1) return first
  return `${folded.last === first ? first : `${first} … ${folded.last}`} × ${folded.count}`
}

/** How many nodes stand below. */
export const countBelow = (folded: Folded<unknown>): number => {
  let count = 0
  const todo: Array<readonly [Folded<unknown>, number]> = [[folded, 1]]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    for (const child of next[0].children) {
      const all = child.count * next[1]
      count += all
      todo.push([child, all])
    }
  }
  return count
}
