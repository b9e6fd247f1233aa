/**
 * The part of the viewer that knows the data: rows, what is visible of them, and the axis.
 *
 * The viewer is JavaScript in strings, because a page must carry it, and the package is
 * built by `tsc` alone. This part touches no document, so the tests run it as it is.
 */
export const model = String.raw`
const units = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"], [1, "ms"], [0.001, "µs"], [0.000001, "ns"]]
const duration = (millis) => {
  if (millis === 0) return "0 ms"
  for (let i = 0; i < units.length; i++) {
    const [size, unit] = units[i]
    if (millis < size && i < units.length - 1) continue
    if (size <= 1000) return Number((millis / size).toPrecision(4)) + " " + unit
    const [below, belowUnit] = units[i + 1]
    let whole = Math.floor(millis / size)
    let rest = Math.round((millis - whole * size) / below)
    if (rest * below >= size) { whole++; rest = 0 }
    return rest === 0 ? whole + " " + unit : whole + " " + unit + " " + rest + " " + belowUnit
  }
}

const longSteps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((s) => s * 1000)
const nice = (least, smallest) => {
  for (let size = smallest; ; size *= 10) for (const factor of [1, 2, 5]) if (size * factor >= least) return Number((size * factor).toPrecision(3))
}
const niceMillis = (least) => least <= 30000 ? nice(least, 1e-6) : longSteps.find((step) => step >= least) ?? 86400000 * nice(least / 86400000, 1)

/** Ticks between two points of the axis, at least so far apart. */
const ticksOf = (kind, from, to, apart, extent) => {
  const step = kind === "time" ? niceMillis(apart) : Math.max(1, nice(apart, 1))
  const ticks = []
  if (kind === "time") {
    for (let i = Math.max(0, Math.ceil(from / step)); i * step <= Math.min(to, extent); i++) ticks.push([i * step, i === 0 ? "0" : duration(i * step)])
  } else {
    for (let i = Math.max(1, Math.ceil((from + 0.5) / step)); i * step - 0.5 <= Math.min(to, extent); i++) ticks.push([i * step - 0.5, String(i * step)])
  }
  return ticks
}

const endingWords = { succeeded: "succeeded", failed: "failed", died: "died", cancelled: "cancelled", caught: "cancelled, went on", running: "still running" }
const glyphs = { succeeded: "✓", failed: "✗", died: "‼", cancelled: "⊘", caught: "↷", running: "…" }

/** Unpacks what the page carries. */
const unpack = (data) => {
  const text = data.texts
  const moment = (list, at) => list[at] === null ? null : [list[at], list[at + 1]]
  const rows = data.rows.map(([kind, name, parent, by, error, ending, span, body, ready, waits, cleanups], id) => ({
    id, kind: text[kind], name: text[name], parent, by, error: error < 0 ? "" : text[error], ending: text[ending],
    begin: moment(span, 0), end: moment(span, 2),
    body: body === 0 ? null : [moment(body, 0), moment(body, 2)],
    ready: ready === 0 ? null : moment(ready, 0),
    waits: waits.map((wait) => ({ label: text[wait[0]], what: text[wait[1]], shade: wait[2], giving: wait[3] === 1, begin: moment(wait, 4), end: moment(wait, 6) })),
    cleanups: cleanups.map((cleanup) => ({ what: text[cleanup[0]], begin: moment(cleanup, 1), end: moment(cleanup, 3) })),
    depth: 0, children: [], told: []
  }))
  const roots = []
  for (const row of rows) {
    row.isBlock = row.kind !== "task" && row.kind !== "service" && row.kind !== "outside"
    const kind = row.kind === "task" || row.kind === "outside" ? "" : row.kind
    row.kindWord = kind
    row.title = kind === "" ? row.name : row.name === "" ? kind : kind + " " + row.name
    if (row.parent < 0) roots.push(row.id)
    else {
      row.depth = rows[row.parent].depth + 1
      rows[row.parent].children.push(row.id)
    }
  }
  const cancels = data.cancels.map(([at, step, from, to, source, message, by, told], id) => {
    const cancel = { id, at: [at, step], from, to, source: text[source], message: text[message], by: text[by], told: told.map(([row, at, step]) => ({ row, at: [at, step] })) }
    for (const one of cancel.told) rows[one.row].told.push({ cancel, at: one.at })
    return cancel
  })
  // The service of a nursery is told after the others; the last of all to end ends the cancel.
  for (const cancel of cancels) {
    cancel.took = 0
    for (const { row } of cancel.told) {
      const end = rows[row].body !== null && rows[row].body[1] !== null ? rows[row].body[1] : rows[row].end
      if (end === null) cancel.took = Infinity
      else cancel.took = Math.max(cancel.took, end[0] - cancel.at[0])
    }
  }
  return { title: data.title, millis: data.millis, steps: data.steps, axis: data.axis, rows, roots, cancels }
}

/** The rows that are not below a collapsed one, in order, and for each row the line that shows it. */
const visibleOf = ({ roots, rows }, collapsed) => {
  const lines = []
  const lineOf = new Int32Array(rows.length)
  const lastBelow = []
  const todo = roots.slice().reverse()
  while (todo.length > 0) {
    const id = todo.pop()
    lineOf[id] = lines.length
    lines.push(id)
    if (collapsed.has(id)) continue
    const { children } = rows[id]
    for (let i = children.length - 1; i >= 0; i--) todo.push(children[i])
  }
  const shown = new Uint8Array(rows.length)
  for (const id of lines) shown[id] = 1
  // Rows stand below their parents: a hidden one is shown by the line of its parent.
  for (const row of rows) if (shown[row.id] === 0) lineOf[row.id] = lineOf[row.parent]
  for (let i = lines.length - 1; i >= 0; i--) {
    lastBelow[i] = Math.max(lastBelow[i] ?? i, i)
    const { parent } = rows[lines[i]]
    if (parent >= 0) {
      const above = lineOf[parent]
      lastBelow[above] = Math.max(lastBelow[above] ?? above, lastBelow[i])
    }
  }
  return { lines, lineOf, lastBelow }
}

/** The rows that have the words in their names, errors or waits. */
const searchIn = (rows, words) => {
  const wanted = words.trim().toLowerCase()
  if (wanted === "") return []
  const found = []
  for (const row of rows) {
    row.text ??= (row.title + "\n" + row.error + "\n" + endingWords[row.ending] + "\n" + row.waits.map((wait) => wait.label).join("\n")).toLowerCase()
    if (row.text.includes(wanted)) found.push(row.id)
  }
  return found
}

/** How many tasks live in each of so many equal parts of the axis. */
const crowdOf = (rows, value, extent, parts) => {
  const changes = new Float64Array(parts + 1)
  for (const row of rows) {
    if (row.isBlock) continue
    const from = Math.max(0, Math.min(parts - 1, Math.floor(value(row.begin) / extent * parts)))
    const to = row.end === null ? parts : Math.max(from + 1, Math.min(parts, Math.ceil(value(row.end) / extent * parts)))
    changes[from]++
    changes[to]--
  }
  let living = 0
  return Array.from({ length: parts }, (_, i) => living += changes[i])
}

/** Keeps a stretch of the axis within reach, and not shorter than what can be told apart. */
const clampView = (from, to, extent, least) => {
  const length = Math.min(Math.max(to - from, least), extent * 4)
  const start = (from + to - length) / 2
  const clamped = Math.min(Math.max(start, -0.6 * length), extent - 0.4 * length)
  return [clamped, clamped + length]
}
`
