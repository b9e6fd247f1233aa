/** Where everything of the picture stands. */
import { type Axis, axisOf } from "./TimelineAxis.ts"
import { type Line, linesOf } from "./TimelineFold.ts"
import { isBlock, type Moment, type Row, type Timeline } from "./TimelineModel.ts"
import { pixels } from "./TextWidth.ts"
import { endingText, kindWord, nameOf } from "./TimelineWords.ts"

/** A line of the picture with its place. */
export interface Lane {
  readonly line: Line
  /** The middle of the bar. */
  readonly y: number
  /** The edges of the box around a block and what is in it; `undefined` for others. */
  readonly box: { readonly top: number; readonly bottom: number; readonly pad: number; readonly level: number } | undefined
  /** Where its texts stand already, as pairs of edges. */
  readonly taken: Array<readonly [from: number, to: number]>
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly axis: Axis
  readonly lanes: ReadonlyArray<Lane>
  /** The lane that shows a row, by itself or folded. */
  readonly laneOf: ReadonlyMap<number, Lane>
  readonly indent: number
  /** Where names end. */
  readonly gutter: number
  /** The edges of the time axis. */
  readonly left: number
  readonly right: number
  /** The edges of the lanes. */
  readonly top: number
  readonly bottom: number
  readonly x: (moment: Moment) => number
  /** Where a row ends; one that still runs, at the end of the axis. */
  readonly endOf: (moment: Moment | undefined) => number
}

export const margin = 16
export const fontSize = 12
export const smallSize = 11
export const barHeight = 12
export const badgeRoom = 20

const taskHeight = 23
const blockHeight = 26
const foldedHeight = 34
const headHeight = 34
const axisHeight = 24
/** A column of the order axis is never narrower than this. */
const leastColumn = 16

/** How much wider the names of blocks are. */
export const boldness = 1.08

export const nameWidth = (row: Row): number => {
  const kind = kindWord(row)
  const name = nameOf(row)
  return (kind === "" ? 0 : pixels(kind, smallSize) + (name === "" ? 0 : 5)) + pixels(name, fontSize) * (isBlock(row) ? boldness : 1)
}

export const layoutOf = (timeline: Timeline, options: { readonly axis?: "time" | "order"; readonly width: number; readonly maxRows: number }): Layout => {
  const axis = axisOf(timeline, options.axis)
  const lines = linesOf(timeline, options.maxRows)
  const deepest = lines.reduce((depth, line) => Math.max(depth, line.depth), 0)
  const indent = Math.min(14, 110 / Math.max(deepest, 1))
  const boxes = boxesOf(lines)

  const natural = lines.map((line) => line.depth * indent + (line._tag === "Row" ? nameWidth(line.row) : 90))
  const gutter = Math.ceil(margin + Math.min(Math.max(...natural, 40), options.width * 0.3))
  const widestBox = boxes.reduce((pad, box) => Math.max(pad, box?.pad ?? 0), 0)
  const left = gutter + 12 + widestBox
  const least = axis.kind === "order" ? axis.extent * leastColumn : 0
  const room = Math.max(options.width - margin - left - widestBox, 120)
  const needed = lines.reduce((most, line) => {
    if (line._tag === "Folded") return most
    const at = axis.of(line.row.end ?? { at: timeline.millis, step: timeline.steps }) / axis.extent
    return Math.max(most, badgeRoom + 8 + pixels(endingText(line.row), smallSize) - (1 - at) * room * 0.72)
  }, 24)
  const labels = Math.min(needed, room * 0.34)
  const right = left + Math.max(room - labels, least)
  const width = Math.ceil(Math.max(options.width, right + labels + widestBox + margin))

  const scale = (right - left) / axis.extent
  const x = (moment: Moment) => left + axis.of(moment) * scale
  const lanes: Array<Lane> = []
  const laneOf = new Map<number, Lane>()
  const top = headHeight + axisHeight
  let y = top + 4
  const open: Array<{ readonly last: number; readonly index: number; readonly top: number; readonly pad: number }> = []
  const tops: Array<number> = []
  const bottoms: Array<number> = []
  lines.forEach((line, index) => {
    const box = boxes[index]
    if (box !== undefined) {
      y += 3
      open.push({ ...box, index, top: y })
      tops[index] = y
    }
    const height = line._tag === "Folded" ? foldedHeight : isBlock(line.row) ? blockHeight : taskHeight
    lanes.push({ line, y: y + height / 2, box: undefined, taken: [] })
    y += height
    while (open.length > 0 && open.at(-1)!.last === index) {
      y += 3
      bottoms[open.pop()!.index] = y
      y += 1
    }
  })
  for (const [index, lane] of lanes.entries()) {
    const box = boxes[index]
    if (box !== undefined) lanes[index] = { ...lane, box: { top: tops[index]!, bottom: bottoms[index]!, pad: box.pad, level: box.level } }
    const { line } = lane
    for (const row of line._tag === "Row" ? [line.row] : line.rows) laneOf.set(row.id, lanes[index]!)
  }
  return {
    width,
    height: y,
    axis, lanes, laneOf, indent, gutter, left, right, top,
    bottom: y + 4,
    x,
    endOf: (moment) => moment === undefined ? right : x(moment)
  }
}

interface Box {
  /** The last line inside. */
  readonly last: number
  /** How far it stands out at the sides, so that boxes in boxes do not share an edge. */
  readonly pad: number
  /** How many boxes are around it. */
  readonly level: number
}

const boxesOf = (lines: ReadonlyArray<Line>): ReadonlyArray<Box | undefined> => {
  const boxes: Array<Box | undefined> = lines.map(() => undefined)
  const open: Array<{ readonly index: number; readonly depth: number; levels: number }> = []
  const close = (depth: number, last: number): void => {
    while (open.length > 0 && open.at(-1)!.depth >= depth) {
      const { index, levels } = open.pop()!
      const line = lines[index]!
      const around = open.at(-1)
      const isBox = last > index && line._tag === "Row" && isBlock(line.row)
      if (isBox) boxes[index] = { last, pad: 4 + Math.min(levels, 5) * 3, level: open.length }
      if (around !== undefined) around.levels = Math.max(around.levels, levels + (isBox ? 1 : 0))
    }
  }
  lines.forEach((line, index) => {
    close(line.depth, index - 1)
    open.push({ index, depth: line.depth, levels: 0 })
  })
  close(0, lines.length - 1)
  return boxes
}

/** Takes the first of these places that is free, and says which; none if all are taken. */
export const place = (lane: Lane, places: ReadonlyArray<readonly [from: number, to: number]>): number => {
  const index = places.findIndex(([from, to]) => to > from && lane.taken.every(([start, end]) => to <= start || from >= end))
  if (index >= 0) lane.taken.push(places[index]!)
  return index
}
