/** The part of the viewer that listens: mouse, wheel, keys, search. */
export const controls = String.raw`
const resized = () => {
  state.height = $("scroll").clientHeight
  $("view").style.height = state.height + "px"
  const before = state.width
  const whole = fitted()
  const isFitted = Math.abs(state.from - whole[0]) < 1e-9 && Math.abs(state.to - whole[1]) < 1e-9
  state.width = $("plot").clientWidth
  if (isFitted && before !== state.width) [state.from, state.to] = fitted()
  if (state.visible !== undefined) relay()
}

const lineAt = (y) => state.visible.lines[Math.floor((y + $("scroll").scrollTop - 2) / lineHeight)]

/** What lies under the pointer, in words. */
const under = (row, x) => {
  const lines = []
  const at = atOf(x)
  const inside = ({ begin, end }) => at >= value(begin) && at <= (end === null ? extentNow() : value(end))
  for (const wait of row.waits) if (inside(wait)) lines.push("▨ " + wait.label + ", " + between(wait.begin, wait.end))
  for (const cleanup of row.cleanups) if (inside(cleanup)) lines.push("▒ " + cleanup.what + ", " + between(cleanup.begin, cleanup.end))
  for (const { at: told, cancel } of row.told) {
    if (Math.abs(xOf(value(told)) - x) < 6) {
      lines.push("⊘ told to stop at " + duration(told[0]) + (cancel.from < 0 ? "" : " by " + rows[cancel.from].title) + ": " + cancel.message + " (" + cancel.source + ")")
    }
  }
  return lines.slice(0, 6)
}
const showTip = (row, event, x) => {
  const tip = $("tip")
  tip.replaceChildren(element("b", undefined, row.title))
  const ending = element("div", row.ending, glyphs[row.ending] + " " + endingWords[row.ending] + (row.error === "" ? "" : ": " + row.error))
  tip.append(ending, element("div", "muted", between(row.begin, row.end)))
  if (row.ending === "cancelled" && row.told.length > 0) tip.append(element("div", undefined, "⊘ " + row.told[0].cancel.message))
  if (x !== undefined) for (const line of under(row, x)) tip.append(element("div", undefined, line))
  const { height, width } = tip.getBoundingClientRect()
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 6)) + "px"
  tip.style.top = (event.clientY + 18 + height > innerHeight ? Math.max(4, event.clientY - height - 10) : event.clientY + 18) + "px"
  tip.style.visibility = "visible"
}
const hideTip = () => { $("tip").style.visibility = "hidden" }

const hover = (event, x) => {
  const box = $("view").getBoundingClientRect()
  const id = lineAt(event.clientY - box.top)
  const before = state.hovered
  state.hovered = id ?? -1
  state.hoveredCancel = -1
  if (id === undefined) hideTip()
  else {
    showTip(rows[id], event, x)
    if (x !== undefined) for (const { at, cancel } of rows[id].told) if (Math.abs(xOf(value(at)) - x) < 6) state.hoveredCancel = cancel.id
  }
  if (before !== state.hovered || x !== undefined) draw()
}
const leave = () => {
  state.hovered = state.hoveredCancel = -1
  hideTip()
  draw()
}

const setUpPlot = () => {
  const plot = $("plot")
  let drag
  plot.onpointerdown = (event) => {
    if (event.button !== 0) return
    cancelAnimationFrame(moving)
    drag = { x: event.clientX, y: event.clientY, from: state.from, to: state.to, top: $("scroll").scrollTop, moved: false }
    plot.setPointerCapture(event.pointerId)
  }
  plot.onpointermove = (event) => {
    if (drag === undefined) return hover(event, event.clientX - plot.getBoundingClientRect().left)
    const by = event.clientX - drag.x
    if (Math.abs(by) + Math.abs(event.clientY - drag.y) > 3) {
      drag.moved = true
      plot.classList.add("panning")
      hideTip()
    }
    if (!drag.moved) return
    const shift = by / state.width * (drag.to - drag.from)
    $("scroll").scrollTop = drag.top - (event.clientY - drag.y)
    setView(drag.from - shift, drag.to - shift)
  }
  plot.onpointerup = (event) => {
    if (drag !== undefined && !drag.moved) {
      const id = lineAt(event.clientY - $("view").getBoundingClientRect().top)
      if (id !== undefined) { select(id, { show: false }); showTab("details") }
    }
    drag = undefined
    plot.classList.remove("panning")
  }
  plot.onpointercancel = plot.onpointerup
  plot.onpointerleave = leave
  plot.ondblclick = (event) => {
    const id = lineAt(event.clientY - $("view").getBoundingClientRect().top)
    if (id !== undefined) zoomTo(rows[id])
  }
  $("scroll").addEventListener("wheel", (event) => {
    const { left } = plot.getBoundingClientRect()
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault()
      cancelAnimationFrame(moving)
      setView(...zoomBy(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), atOf(Math.max(0, event.clientX - left))))
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault()
      const shift = (event.deltaX || event.deltaY) / state.width * (state.to - state.from)
      setView(state.from + shift, state.to + shift)
    }
  }, { passive: false })
  $("scroll").addEventListener("scroll", draw, { passive: true })
}

/** In the overview a press moves what is seen there; in the ticks a drag chooses what to see. */
const setUpRuler = () => {
  const ruler = $("ruler")
  let drag
  const part = (event) => (event.clientX - ruler.getBoundingClientRect().left) / state.width
  ruler.onpointerdown = (event) => {
    ruler.setPointerCapture(event.pointerId)
    const top = event.clientY - ruler.getBoundingClientRect().top
    drag = { overview: top < 38, start: part(event) }
    if (drag.overview) ruler.onpointermove(event)
  }
  ruler.onpointermove = (event) => {
    if (drag === undefined || !drag.overview) return
    const length = Math.min(state.to - state.from, extentNow())
    const middle = part(event) * extentNow()
    setView(middle - length / 2, middle + length / 2)
  }
  ruler.onpointerup = (event) => {
    if (drag !== undefined && !drag.overview) {
      const [a, b] = [drag.start, part(event)].sort((x, y) => x - y)
      if (b - a > 0.01) moveTo(atOf(a * state.width), atOf(b * state.width))
    }
    drag = undefined
  }
  ruler.ondblclick = fit
}

const setUpTree = () => {
  const tree = $("tree")
  tree.onpointermove = (event) => hover(event)
  tree.onpointerleave = leave
  tree.onclick = (event) => {
    const made = event.target.closest(".row")
    if (made === null) return
    const id = Number(made.dataset.row)
    if (event.target.classList.contains("caret")) return toggle(id)
    select(id)
    showTab("details")
  }
  tree.ondblclick = (event) => {
    const made = event.target.closest(".row")
    if (made !== null && !event.target.classList.contains("caret")) zoomTo(rows[Number(made.dataset.row)])
  }
  tree.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { lineOf, lines } = state.visible
    if (lines.length === 0) return
    const line = state.selected < 0 ? -1 : lineOf[state.selected]
    const row = rows[state.selected]
    const page = Math.max(1, Math.floor(state.height / lineHeight) - 1)
    const go = (to) => select(lines[Math.max(0, Math.min(lines.length - 1, to))])
    const keys = {
      ArrowDown: () => go(line + 1), ArrowUp: () => go(Math.max(line - 1, 0)), PageDown: () => go(line + page), PageUp: () => go(line - page),
      Home: () => go(0), End: () => go(lines.length - 1),
      ArrowRight: () => { if (row === undefined) go(0); else if (state.collapsed.has(row.id)) toggle(row.id, true); else if (row.children.length > 0) go(line + 1) },
      ArrowLeft: () => { if (row === undefined) return; if (row.children.length > 0 && !state.collapsed.has(row.id)) toggle(row.id, false); else if (row.parent >= 0) select(row.parent) },
      Enter: () => row !== undefined && zoomTo(row), " ": () => row !== undefined && showTab("details")
    }
    const run = keys[event.key]
    if (run === undefined) return
    event.preventDefault()
    run()
  }
  const split = $("split")
  const widen = (to) => {
    const width = Math.round(Math.max(90, Math.min(to, innerWidth * 0.7)))
    document.documentElement.style.setProperty("--names", width + "px")
    split.setAttribute("aria-valuenow", width)
    resized()
  }
  split.onpointerdown = (event) => split.setPointerCapture(event.pointerId)
  split.onpointermove = (event) => { if (split.hasPointerCapture(event.pointerId)) widen(event.clientX) }
  split.onkeydown = (event) => {
    const by = { ArrowLeft: -20, ArrowRight: 20 }[event.key]
    if (by !== undefined) widen($("tree").clientWidth + by)
  }
}

const search = () => {
  state.found = searchIn(rows, $("search").value)
  state.foundSet = new Set(state.found)
  state.foundAt = -1
  if (state.found.length > 0) nextFound(1)
  sayFound()
  draw()
}
const sayFound = () => {
  $("count").textContent = $("search").value.trim() === "" ? "" : state.found.length === 0 ? "none" : state.foundAt + 1 + " of " + state.found.length
}
const nextFound = (by) => {
  const { found } = state
  if (found.length === 0) return
  state.foundAt = (state.foundAt + by + found.length) % found.length
  select(found[state.foundAt])
  sayFound()
}
/** The next row that ended so, below the selected one. */
const nextEnding = (ending) => {
  const matching = rows.filter((row) => row.ending === ending && !row.isBlock)
  const next = matching.find((row) => row.id > state.selected) ?? matching[0]
  if (next === undefined) return
  select(next.id, { show: false })
  showTab("details")
  // It is the end that is of interest.
  const end = endValue(next)
  const length = state.to - state.from
  if (end < state.from || end > state.to - length * 0.1) moveTo(end - length * 0.7, end + length * 0.3)
}

const setAxis = (axis) => {
  if (data.millis === 0) axis = "order"
  const extent = extentNow()
  // What was seen stays about in sight.
  const seen = [state.from / extent, state.to / extent]
  const whole = fitted()
  const isFitted = Math.abs(state.from - whole[0]) < 1e-9
  state.axis = axis
  for (const name of ["time", "order"]) $(name).setAttribute("aria-pressed", name === axis)
  ;[state.from, state.to] = isFitted ? fitted() : [seen[0] * extentNow(), seen[1] * extentNow()]
  setView(state.from, state.to)
}

const setUpTools = () => {
  for (const axis of ["time", "order"]) $(axis).onclick = () => setAxis(axis)
  if (data.millis === 0) $("time").disabled = true
  $("in").onclick = () => moveTo(...zoomBy(0.5))
  $("out").onclick = () => moveTo(...zoomBy(2))
  $("fit").onclick = fit
  $("fold").onclick = () => {
    for (const row of rows) if (row.children.length > 0 && row.depth > 0) state.collapsed.add(row.id)
    relay()
  }
  $("unfold").onclick = () => { state.collapsed.clear(); relay() }
  $("helpButton").onclick = () => $("help").showModal()
  $("closeHelp").onclick = () => $("help").close()
  $("search").oninput = search
  $("search").onkeydown = (event) => {
    if (event.key === "Enter") { event.preventDefault(); nextFound(event.shiftKey ? -1 : 1) }
    else if (event.key === "Escape") { $("search").value = ""; search(); $("tree").focus() }
  }
  $("previous").onclick = () => nextFound(-1)
  $("next").onclick = () => nextFound(1)
  for (const chip of document.querySelectorAll("#summary button")) chip.onclick = () => nextEnding(chip.dataset.ending)
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT" || $("help").open) return
    const pan = (state.to - state.from) * 0.15
    const keys = {
      "/": () => $("search").focus(), "+": () => moveTo(...zoomBy(0.6)), "=": () => moveTo(...zoomBy(0.6)), w: () => moveTo(...zoomBy(0.6)),
      "-": () => moveTo(...zoomBy(1.6)), s: () => moveTo(...zoomBy(1.6)), 0: fit, a: () => moveTo(state.from - pan, state.to - pan),
      d: () => moveTo(state.from + pan, state.to + pan), n: () => nextFound(1), N: () => nextFound(-1), f: () => nextEnding("failed"),
      c: () => showTab("cancels"), o: () => setAxis(state.axis === "time" ? "order" : "time"), "?": () => $("help").showModal(), Escape: closePanel
    }
    const run = keys[event.key]
    if (run === undefined) return
    event.preventDefault()
    run()
  })
}

const begin = () => {
  readColours()
  setUpPanels()
  setUpPlot()
  setUpRuler()
  setUpTree()
  setUpTools()
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw() })
  const widest = rows.slice(0, 2000).reduce((most, row) => Math.max(most, Math.min(row.depth, 12) * 13 + row.title.length * 7.8 + 58), 150)
  document.documentElement.style.setProperty("--names", Math.round(Math.min(widest, innerWidth * 0.3, 420)) + "px")
  state.visible = visibleOf(data, state.collapsed)
  layoutCancels()
  showDetails()
  showTab(cancels.length > 0 ? "cancels" : "details")
  if (cancels.length === 0) closePanel()
  ;[state.from, state.to] = fitted()
  setAxis(state.axis)
  new ResizeObserver(resized).observe($("scroll"))
}
begin()
`
