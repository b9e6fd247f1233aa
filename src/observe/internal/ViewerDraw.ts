/** The part of the viewer that draws bars, arrows, the ruler and the overview. Only what can be seen. */
export const drawing = String.raw`
let colours = {}
const readColours = () => {
  const style = getComputedStyle(document.documentElement)
  const names = ["card", "edge", "ink", "muted", "grid", "block", "cancel", "selected", "hover", "found", ...Object.keys(endingWords), "w0", "w1", "w2", "w3", "w4", "w5"]
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]))
  patterns.clear()
}
const font = "12px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
const smallFont = font.replace("12px", "10.5px")

const prepared = (canvas) => {
  const ratio = devicePixelRatio || 1
  const width = canvas.clientWidth
  const height = canvas.clientHeight
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
  }
  const g = canvas.getContext("2d")
  g.setTransform(ratio, 0, 0, ratio, 0, 0)
  g.clearRect(0, 0, width, height)
  return [g, width, height]
}

const patterns = new Map()
/** Stripes for waits, which lean the other way for who gives; dots for cleanups. */
const pattern = (g, name) => {
  let made = patterns.get(name)
  if (made !== undefined) return made
  const ratio = devicePixelRatio || 1
  const tile = document.createElement("canvas")
  tile.width = tile.height = 6 * ratio
  const t = tile.getContext("2d")
  t.scale(ratio, ratio)
  const colour = name === "cleanup" ? colours.cancelled : colours["w" + name[1]]
  t.fillStyle = t.strokeStyle = colour
  t.globalAlpha = 0.22
  t.fillRect(0, 0, 6, 6)
  t.globalAlpha = 1
  if (name === "cleanup") for (const [x, y] of [[1.5, 1.5], [4.5, 4.5]]) { t.beginPath(); t.arc(x, y, 1.1, 0, 7); t.fill() }
  else {
    t.lineWidth = 1.5
    t.beginPath()
    for (const shift of [-6, 0, 6]) {
      if (name[2] === "g") { t.moveTo(shift, 0); t.lineTo(shift + 6, 6) }
      else { t.moveTo(shift, 6); t.lineTo(shift + 6, 0) }
    }
    t.stroke()
  }
  made = g.createPattern(tile, "repeat")
  made.setTransform(new DOMMatrix().scale(1 / ratio))
  patterns.set(name, made)
  return made
}

const halo = (g, text, x, y, colour) => {
  g.lineWidth = 3.5
  g.lineJoin = "round"
  g.strokeStyle = colours.card
  g.strokeText(text, x, y)
  g.fillStyle = colour
  g.fillText(text, x, y)
}
const cut = (g, text, room) => {
  if (g.measureText(text).width <= room) return text
  let low = 0
  let high = Math.min(text.length, 200)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (g.measureText(text.slice(0, middle) + "…").width <= room) low = middle
    else high = middle - 1
  }
  return low < 2 ? "" : text.slice(0, low).trimEnd() + "…"
}

const badge = (g, ending, x, y) => {
  const colour = colours[ending]
  g.fillStyle = g.strokeStyle = colour
  g.lineWidth = 1.6
  g.lineCap = g.lineJoin = "round"
  g.beginPath()
  if (ending === "succeeded") g.arc(x, y, 6, 0, 7)
  else if (ending === "failed") g.roundRect(x - 6, y - 6, 12, 12, 2.5)
  else if (ending === "died") [[-2.9, -7], [2.9, -7], [7, -2.9], [7, 2.9], [2.9, 7], [-2.9, 7], [-7, 2.9], [-7, -2.9]].forEach(([a, b]) => g.lineTo(x + a, y + b))
  else if (ending === "running") for (const a of [-4, 0, 4]) { g.moveTo(x + a, y); g.arc(x + a, y, 1.5, 0, 7) }
  else g.arc(x, y, 5.2, 0, 7)
  if (ending === "cancelled" || ending === "caught") { g.fillStyle = colours.card; g.fill(); g.stroke() }
  else g.fill()
  const lines = { succeeded: [[-2.8, 0.2, -0.8, 2.2, 2.8, -2]], failed: [[-2.5, -2.5, 2.5, 2.5], [2.5, -2.5, -2.5, 2.5]], died: [[0, -3.8, 0, 0.2], [0, 3.3, 0, 3.5]],
    cancelled: [[-3.5, 3.5, 3.5, -3.5]], caught: [[-2.6, 0, 2.4, 0], [0.4, -2.2, 2.6, 0, 0.4, 2.2]], running: [] }[ending]
  g.strokeStyle = ending === "cancelled" || ending === "caught" ? colour : colours.card
  g.beginPath()
  for (const line of lines) for (let i = 0; i < line.length; i += 2) i === 0 ? g.moveTo(x + line[0], y + line[1]) : g.lineTo(x + line[i], y + line[i + 1])
  g.stroke()
}

const gridLines = (g, ticks, top, bottom) => {
  g.strokeStyle = colours.grid
  g.lineWidth = 1
  g.beginPath()
  for (const [at] of ticks) { const x = Math.round(xOf(at)) + 0.5; g.moveTo(x, top); g.lineTo(x, bottom) }
  g.stroke()
}
const ticksNow = () => ticksOf(state.axis, state.from, state.to, (state.to - state.from) * 82 / state.width, extentNow())

/** Parts of a bar that share a pixel are drawn once. */
const drawSpans = (g, row, y, height, from, to) => {
  let drawn = -1
  const span = (begin, end, name, labels) => {
    const x = Math.max(xOf(begin), -4, from)
    const until = Math.min(Math.max(xOf(end), x + 1), state.width + 4, Math.max(to, x + 1))
    if (until - drawn < 0.7 || until < 0 || x > state.width) return
    drawn = until
    g.fillStyle = colours.card
    g.fillRect(x, y - height / 2, until - x, height)
    g.fillStyle = pattern(g, name)
    g.fillRect(x, y - height / 2, until - x, height)
    if (until - x < 34) return
    g.font = smallFont
    const label = labels.find((label) => g.measureText(label).width <= until - x - 10) ?? cut(g, labels.at(-1), until - x - 10)
    if (label !== "") halo(g, label, x + 5, y + 0.5, colours.ink)
  }
  for (const wait of row.waits) span(value(wait.begin), wait.end === null ? extentNow() : value(wait.end), "w" + wait.shade + (wait.giving ? "g" : ""), [wait.label, wait.what])
  drawn = -1
  for (const cleanup of row.cleanups) {
    if (state.axis === "time" && cleanup.end !== null && cleanup.end[0] === cleanup.begin[0]) continue
    span(value(cleanup.begin), cleanup.end === null ? extentNow() : value(cleanup.end), "cleanup", [cleanup.what])
  }
}

const drawRow = (g, row, y, hasLanes) => {
  const from = xOf(value(row.begin))
  const to = Math.max(xOf(endValue(row)), from + 3)
  if (to < -20 && from < -20) return
  const colour = colours[row.ending]
  const left = Math.max(from, -8)
  const right = Math.min(to, state.width + 8)
  if (right > left) {
    if (hasLanes) {
      g.strokeStyle = colours.block
      g.lineWidth = 1.4
      g.beginPath()
      g.moveTo(left, y); g.lineTo(right, y)
      g.moveTo(from, y - 5); g.lineTo(from, y + 5)
      if (row.end !== null) { g.moveTo(to, y - 5); g.lineTo(to, y + 5) }
      g.stroke()
      if (row.body !== null) {
        const a = Math.max(xOf(value(row.body[0])), -8)
        const b = Math.min(row.body[1] === null ? to : xOf(value(row.body[1])), state.width + 8)
        if (b - a >= 1) { g.fillStyle = colours.block; g.fillRect(a, y - 2.5, b - a, 5) }
      }
      drawSpans(g, row, y, 9, from, to)
    } else {
      const height = row.isBlock ? 8 : 12
      g.fillStyle = colour
      g.beginPath()
      g.roundRect(left, y - height / 2, right - left, height, Math.min(3, (right - left) / 2))
      g.fill()
      if (row.ready !== null) {
        const ready = xOf(value(row.ready))
        g.globalAlpha = 0.62
        g.fillStyle = colours.card
        if (ready > left) g.fillRect(left + 1, y - height / 2 + 1, ready - left - 1, height - 2)
        g.globalAlpha = 1
        g.beginPath()
        g.moveTo(ready - 4, y - height / 2 - 1); g.lineTo(ready + 4, y - height / 2 - 1); g.lineTo(ready, y - height / 2 + 5); g.closePath()
        g.fillStyle = colours.card
        g.strokeStyle = colour
        g.lineWidth = 1.4
        g.fill()
        g.stroke()
      }
      drawSpans(g, row, y, height, from, to)
      if (row.waits.length + row.cleanups.length > 0) {
        g.strokeStyle = colour
        g.lineWidth = 1.2
        g.beginPath()
        g.roundRect(left, y - height / 2, right - left, height, Math.min(3, (right - left) / 2))
        g.stroke()
      }
    }
    if (row.end === null && right < state.width + 8) {
      g.fillStyle = colours.card
      g.beginPath()
      ;[[1, -7], [-2, -7], [-4, -3.5], [-1, 0], [-4, 3.5], [-2, 7], [1, 7]].forEach(([a, b]) => g.lineTo(right + a, y + b))
      g.fill()
    }
  }
  if (to < -10 || to > state.width) return
  badge(g, row.ending, to + 11, y)
  g.font = font
  const word = endingWords[row.ending]
  let label = row.error === "" ? word : word + ": " + row.error.split("\n")[0]
  const why = row.ending === "cancelled" && row.told.length > 0 && !hasLanes ? row.told[0].cancel.message : ""
  if (why !== "") label += ": " + why
  halo(g, cut(g, label, Math.max(state.width - to - 28, 60)), to + 21, y + 0.5, row.ending === "failed" || row.ending === "died" ? colour : colours.muted)
}

const triangle = (g, x, tip, back) => {
  g.beginPath()
  g.moveTo(x, tip); g.lineTo(x - 3.6, tip + back); g.lineTo(x + 3.6, tip + back)
  g.fill()
}

/** Cancels whose arrows pass through what is seen. Of several in one place only the strongest line is seen anyway. */
const drawCancels = (g, firstLine, lastLine, yOf) => {
  const drawn = new Set()
  for (const cancel of cancels) {
    const [first, last] = spans[cancel.id]
    if (last < firstLine || first > lastLine) continue
    const strong = cancel.id === state.hoveredCancel
    const sourceLine = state.visible.lineOf[cancel.from < 0 ? cancel.to : cancel.from]
    const x = xOf(value(cancel.at))
    if (x < -10 || x > state.width + 10) continue
    const key = Math.round(x) + " " + first + " " + last
    if (drawn.has(key) && !strong) continue
    drawn.add(key)
    g.strokeStyle = g.fillStyle = colours.cancel
    g.lineWidth = strong ? 3 : 1.4
    if (last > first) {
      g.beginPath()
      g.moveTo(x, Math.max(yOf(first), -10)); g.lineTo(x, Math.min(yOf(last), state.height + 10))
      g.stroke()
    }
    const y = yOf(sourceLine)
    if (cancel.source === "deadline") {
      g.beginPath()
      g.moveTo(x, y + 6); g.lineTo(x, y - 9); g.stroke()
      g.beginPath()
      g.moveTo(x, y - 9); g.lineTo(x + 9, y - 9); g.lineTo(x + 6.5, y - 5.8); g.lineTo(x + 9, y - 2.6); g.lineTo(x, y - 2.6)
      g.fill()
    } else {
      g.beginPath()
      g.arc(x, y, 2.6, 0, 7)
      g.fill()
    }
  }
  // The heads, row by row: a cancel may concern ten thousand.
  for (let line = firstLine; line <= lastLine; line++) {
    const row = rows[state.visible.lines[line]]
    for (const { at, cancel } of row.told.length > 50 ? row.told.slice(0, 50) : row.told) {
      const source = state.visible.lineOf[cancel.from < 0 ? cancel.to : cancel.from]
      if (source === line) continue
      g.fillStyle = colours.cancel
      const x = xOf(value(at))
      const half = hasLanesAt(line) ? 5 : row.isBlock ? 4 : 6
      if (line > source) triangle(g, x, yOf(line) - half + 1, -6)
      else triangle(g, x, yOf(line) + half - 1, 6)
    }
  }
}

const hasLanesAt = (line) => rows[state.visible.lines[line]].isBlock && state.visible.lastBelow[line] > line

/** The boxes around blocks. */
const drawBoxes = (g, firstLine, lastLine, yOf) => {
  const { lastBelow, lineOf, lines } = state.visible
  const boxes = []
  for (let line = firstLine; line <= lastLine; line++) if (hasLanesAt(line)) boxes.push(line)
  let up = lines.length === 0 ? -1 : rows[lines[firstLine]].parent
  for (let i = 0; up >= 0 && i < 200; i++, up = rows[up].parent) if (rows[up].isBlock) boxes.unshift(lineOf[up])
  for (const line of boxes) {
    const row = rows[lines[line]]
    let level = 0
    for (let above = row.parent; above >= 0 && level < 6; above = rows[above].parent) if (rows[above].isBlock) level++
    const pad = Math.max(3, 12 - level * 3)
    const from = Math.max(xOf(value(row.begin)) - pad, -20)
    const to = Math.min(xOf(endValue(row)) + pad, state.width + 20)
    if (to < from) continue
    const top = Math.max(yOf(line) - lineHeight / 2 + 1, -20)
    const bottom = Math.min(yOf(lastBelow[line]) + lineHeight / 2 - 1, state.height + 20)
    g.beginPath()
    g.roundRect(from, top, to - from, bottom - top, 5)
    g.strokeStyle = g.fillStyle = colours.block
    g.lineWidth = 1
    if (level < 6) { g.globalAlpha = 0.05; g.fill() }
    g.globalAlpha = 0.35
    g.setLineDash(row.kind === "nursery" || row.kind === "gather" || row.kind === "race" ? [] : [3, 3])
    g.stroke()
    g.setLineDash([])
    g.globalAlpha = 1
  }
}

const drawPlot = () => {
  const [g, width, height] = prepared($("plot"))
  state.width = width
  const scrolled = $("scroll").scrollTop
  const { lines } = state.visible
  const firstLine = Math.max(0, Math.floor(scrolled / lineHeight))
  const lastLine = Math.min(lines.length - 1, Math.ceil((scrolled + height) / lineHeight))
  const yOf = (line) => line * lineHeight + lineHeight / 2 - scrolled + 2
  g.textBaseline = "middle"
  for (let line = firstLine; line <= lastLine; line++) {
    const id = lines[line]
    if (id !== state.selected && id !== state.hovered) continue
    g.fillStyle = id === state.selected ? colours.selected : colours.hover
    g.fillRect(0, yOf(line) - lineHeight / 2, width, lineHeight)
  }
  gridLines(g, ticksNow(), 0, height)
  drawBoxes(g, firstLine, lastLine, yOf)
  for (let line = firstLine; line <= lastLine; line++) drawRow(g, rows[lines[line]], yOf(line), hasLanesAt(line))
  drawCancels(g, firstLine, lastLine, yOf)
  drawTree(firstLine, lastLine, scrolled)
}

let crowd = { key: "", parts: [] }
/** The whole run in a strip: how many tasks live, where something failed or was cancelled, and what part is seen below. */
const drawRuler = () => {
  const [g, width] = prepared($("ruler"))
  const extent = extentNow()
  const key = state.axis + width
  if (crowd.key !== key) crowd = { key, parts: crowdOf(rows, value, extent, Math.max(1, Math.floor(width))) }
  const most = Math.max(1, ...crowd.parts)
  const strip = 38
  g.fillStyle = colours.succeeded
  g.globalAlpha = 0.3
  crowd.parts.forEach((living, x) => g.fillRect(x, strip - living / most * (strip - 8), 1, living / most * (strip - 8)))
  g.globalAlpha = 1
  const mark = (at, colour, height) => { g.fillStyle = colour; g.fillRect(Math.min(at / extent * width, width - 2), 0, 2, height) }
  for (const cancel of cancels) mark(value(cancel.at), colours.cancel, 5)
  for (const row of rows) if (row.end !== null && (row.ending === "failed" || row.ending === "died")) mark(value(row.end), colours[row.ending], 8)
  const from = Math.max(0, state.from / extent * width)
  const to = Math.min(width, state.to / extent * width)
  g.fillStyle = colours.muted
  g.globalAlpha = 0.16
  g.fillRect(0, 0, from, strip)
  g.fillRect(to, 0, width - to, strip)
  g.globalAlpha = 1
  g.strokeStyle = colours.muted
  g.lineWidth = 1
  g.strokeRect(from + 0.5, 0.5, Math.max(to - from - 1, 2), strip - 1)
  g.font = font.replace("12px", "11px")
  g.textBaseline = "middle"
  g.textAlign = "center"
  g.fillStyle = colours.muted
  for (const [at, label] of ticksNow()) {
    const x = xOf(at)
    const half = g.measureText(label).width / 2
    if (x - half < 0 || x + half > width) continue
    g.fillText(label, x, strip + 16)
    g.fillRect(Math.round(x), strip + 24, 1, 4)
  }
  g.textAlign = "left"
}

let scheduled = false
const draw = () => {
  if (scheduled) return
  scheduled = true
  requestAnimationFrame(() => {
    scheduled = false
    drawPlot()
    drawRuler()
  })
}
`
