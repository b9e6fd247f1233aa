/** The arrows of the picture, from who cancelled to whom, with the reason. */
import { barHeight, type Lane, place, smallSize } from "./SvgLayout.ts"
import { flag, n, type Pen, text } from "./SvgPen.ts"
import { cutToPixels, pixels } from "./TextWidth.ts"
import type { Cancel } from "./TimelineModel.ts"
import { cancelText, duration, escaped } from "./TimelineWords.ts"

export class Arrows {
  private readonly pen: Pen

  constructor(pen: Pen) {
    this.pen = pen
  }

  all(): string {
    const taken: Array<readonly [x: number, from: number, to: number]> = []
    return this.pen.timeline.cancels.map((cancel) => {
      const { laneOf, x } = this.pen.layout
      const ys = [cancel.to, cancel.from ?? cancel.to, ...cancel.told.map(({ row }) => row)].map((row) => laneOf.get(row)!.y)
      const from = ys.reduce((a, b) => Math.min(a, b))
      const to = ys.reduce((a, b) => Math.max(a, b))
      // Several at one moment that would lie on each other stand side by side.
      let at = x(cancel.at)
      while (at < x(cancel.at) + 18 && taken.some(([x, start, end]) => Math.abs(x - at) < 2 && from < end && to > start)) at += 3
      taken.push([at, from, to])
      return this.arrow(cancel, at - x(cancel.at))
    }).join("")
  }

  private arrow(cancel: Cancel, shift: number): string {
    const { laneOf, x } = this.pen.layout
    const target = laneOf.get(cancel.to)!
    const source = cancel.from === undefined ? target : laneOf.get(cancel.from)!
    const groups = new Map<string, { x: number; lanes: Map<Lane, number> }>()
    const add = (at: number, lane: Lane): void => {
      let group = groups.get(n(at))
      if (group === undefined) groups.set(n(at), group = { x: at, lanes: new Map() })
      group.lanes.set(lane, (group.lanes.get(lane) ?? 0) + 1)
    }
    add(x(cancel.at) + shift, target)
    for (const { at, row } of cancel.told) if (row !== cancel.to) add(x(at) + shift, laneOf.get(row)!)
    const parts: Array<string> = []
    for (const group of groups.values()) {
      const ys = [source.y, ...Array.from(group.lanes.keys(), (lane) => lane.y)]
      const from = Math.min(...ys)
      const to = Math.max(...ys)
      const at = n(group.x)
      if (to > from) parts.push(`<path class="cl lines" stroke-width="1.4" d="M${at} ${n(from)}V${n(to)}"/>`)
      for (const lane of group.lanes.keys()) {
        if (lane === source) continue
        // The tip touches the bar from the side that it comes from.
        const half = lane.box === undefined ? barHeight / 2 : 5
        const tip = lane.y > source.y ? lane.y - half + 1 : lane.y + half - 1
        const back = lane.y > source.y ? -6 : 6
        parts.push(`<path class="c" d="M${at} ${n(tip)}l-3.6 ${back}h7.2z"/>`)
      }
    }
    const at = x(cancel.at) + shift
    const end = target.line._tag === "Row" ? this.pen.layout.endOf(target.line.row.end) : Infinity
    parts.push(cancel.source === "deadline" ? flag(at, target.y, end - at < 14) : `<circle class="c" cx="${n(at)}" cy="${n(source.y)}" r="2.6"/>`)
    parts.push(this.reason(cancel, at, target, source))
    return `<g><title>${escaped(`${duration(cancel.at.at)}: ${cancelText(cancel)}`)}</title>${parts.join("")}</g>`
  }

  /** Why, if there is room beside the arrow: in the lane of what was cancelled, or of who did it. */
  private reason(cancel: Cancel, at: number, target: Lane, source: Lane): string {
    for (const lane of [target, source]) {
      const { line } = lane
      // Inside a bar of a task there is no room for words.
      if (line._tag === "Folded" || lane.box === undefined) continue
      const said = cutToPixels(cancelText(cancel), (this.pen.layout.right - this.pen.layout.left) * 0.4, smallSize)
      const width = pixels(said, smallSize)
      const gap = cancel.source === "deadline" && lane === target ? 13 : 8
      const until = this.pen.layout.endOf(line.row.end)
      const chosen = place(lane, [
        at + gap + width + 4 <= until ? [at + gap - 2, at + gap + width + 2] : [0, 0],
        at - gap - width >= this.pen.layout.left ? [at - gap - 2 - width, at - gap + 2] : [0, 0]
      ])
      if (chosen < 0) continue
      this.pen.explained.add(cancel)
      const y = lane.y + 4
      const begin = chosen === 0 ? at + gap : at - gap - width
      return `<rect class="bg" x="${n(begin - 2)}" y="${n(y - 12)}" width="${n(width + 4)}" height="16"/>` +
        (chosen === 0 ? text(begin, y, "c small", said) : text(at - gap, y, "c small", said, " text-anchor=\"end\""))
    }
    return ""
  }
}
