/** The part of the viewer that holds what is shown, and where. */
export const state = String.raw`
const $ = (id) => document.getElementById(id)
const data = unpack(JSON.parse($("data").textContent))
const { rows, cancels } = data
const lineHeight = 24
const state = {
  axis: data.millis === 0 ? "order" : data.axis,
  from: 0, to: 1,
  collapsed: new Set(),
  selected: -1, hovered: -1, hoveredCancel: -1,
  found: [], foundSet: new Set(), foundAt: -1,
  visible: undefined,
  width: 600, height: 400
}

const value = (moment) => state.axis === "time" ? moment[0] : moment[1] + 0.5
const extentNow = () => state.axis === "time" ? data.millis : Math.max(data.steps, 1)
const endValue = (row) => row.end === null ? extentNow() : value(row.end)
const xOf = (at) => (at - state.from) / (state.to - state.from) * state.width
const atOf = (x) => state.from + x / state.width * (state.to - state.from)

/** Room for the words behind the bars that end last. */
const labelRoom = () => Math.min(190, state.width * 0.36)

const fitted = () => {
  const extent = extentNow()
  const scale = extent / Math.max(state.width - labelRoom() - 18, 80)
  return [-18 * scale, -18 * scale + state.width * scale]
}

let moving = 0
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches
const setView = (from, to) => {
  ;[state.from, state.to] = clampView(from, to, extentNow(), state.axis === "time" ? 0.00001 : 2)
  draw()
}
/** Goes there in a few frames, so that the eye can follow. */
const moveTo = (from, to) => {
  cancelAnimationFrame(moving)
  const target = clampView(from, to, extentNow(), state.axis === "time" ? 0.00001 : 2)
  if (still()) return setView(...target)
  const start = [state.from, state.to]
  const began = performance.now()
  const step = (now) => {
    const part = Math.min(1, (now - began) / 160)
    const eased = 1 - (1 - part) ** 3
    setView(start[0] + (target[0] - start[0]) * eased, start[1] + (target[1] - start[1]) * eased)
    if (part < 1) moving = requestAnimationFrame(step)
  }
  moving = requestAnimationFrame(step)
}
const fit = () => moveTo(...fitted())
const zoomBy = (factor, at) => {
  const middle = at ?? (state.from + state.to) / 2
  return [middle - (middle - state.from) * factor, middle + (state.to - middle) * factor]
}
/** Shows a row in the middle, with room around it. */
const zoomTo = (row) => {
  const from = value(row.begin)
  const to = endValue(row)
  const length = Math.max(to - from, extentNow() / 1000)
  moveTo(from - length * 0.1, to + length * 0.1 + length * labelRoom() / state.width)
}

const relay = () => {
  state.visible = visibleOf(data, state.collapsed)
  layoutCancels()
  $("sizer").style.height = Math.max(state.visible.lines.length * lineHeight + 8, state.height) + "px"
  draw()
}
const toggle = (id, open) => {
  if (rows[id].children.length === 0) return
  if (open ?? state.collapsed.has(id)) state.collapsed.delete(id)
  else state.collapsed.add(id)
  relay()
}

/** The lines that an arrow passes. */
let spans = []
const layoutCancels = () => {
  const { lineOf } = state.visible
  spans = cancels.map((cancel) => {
    let first = lineOf[cancel.from < 0 ? cancel.to : cancel.from]
    let last = first
    for (const { row } of cancel.told) {
      const line = lineOf[row]
      if (line < first) first = line
      if (line > last) last = line
    }
    return [first, last]
  })
}

const reveal = (id) => {
  let opened = false
  for (let up = rows[id].parent; up >= 0; up = rows[up].parent) opened = state.collapsed.delete(up) || opened
  if (opened) relay()
  const top = state.visible.lineOf[id] * lineHeight
  const scroll = $("scroll")
  if (top < scroll.scrollTop + lineHeight) scroll.scrollTop = top - lineHeight * 2
  else if (top > scroll.scrollTop + state.height - 2 * lineHeight) scroll.scrollTop = top - state.height / 2
}
const select = (id, { show = true } = {}) => {
  state.selected = id
  if (id >= 0) {
    reveal(id)
    const row = rows[id]
    const outside = endValue(row) < state.from || value(row.begin) > state.to
    if (show && outside) {
      const length = state.to - state.from
      const middle = (value(row.begin) + Math.min(endValue(row), value(row.begin) + length)) / 2
      moveTo(middle - length / 2, middle + length / 2)
    }
  }
  showDetails()
  draw()
}
`
