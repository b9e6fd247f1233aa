/**
 * The last messages, for the time when the whole window has to be drawn again: it was resized, or somebody pressed Ctrl-L.
 * It keeps so many and forgets the oldest; what has scrolled out of the window, the terminal itself keeps.
 */
import type { Line } from "./Line.ts"

export interface MessageStore {
  readonly lines: ReadonlyArray<Line>
  readonly most: number
}

export const emptyStore = (most: number): MessageStore => ({ lines: [], most })

export const append = (store: MessageStore, lines: ReadonlyArray<Line>): MessageStore =>
  lines.length === 0 ? store : { ...store, lines: [...store.lines, ...lines].slice(-store.most) }
