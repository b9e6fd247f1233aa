/** The part of the viewer below the picture: all about one row, and the table of cancels. */
export const panels = String.raw`
const link = (id) => {
  const made = element("button", undefined, rows[id].title)
  made.onclick = () => select(id)
  return made
}
const between = (begin, end) => end === null ? "since " + duration(begin[0]) : duration(begin[0]) + " to " + duration(end[0]) + ", for " + duration(end[0] - begin[0])

const waitSums = (row) => {
  const sums = new Map()
  for (const { begin, end, label } of row.waits) {
    const sum = sums.get(label) ?? { millis: 0, count: 0, open: false }
    sum.count++
    if (end === null) sum.open = true
    else sum.millis += end[0] - begin[0]
    sums.set(label, sum)
  }
  return [...sums].map(([label, { count, millis, open }]) => label + ": " + (open ? "still" : duration(millis)) + (count > 1 ? " in " + count + " waits" : ""))
}

const showDetails = () => {
  const page = $("details")
  page.replaceChildren()
  if (state.selected < 0) {
    page.append(element("p", "muted", "Select a row to see all about it."))
    $("said").textContent = ""
    return
  }
  const row = rows[state.selected]
  const list = element("dl")
  const add = (term, ...parts) => {
    const value = element("dd")
    for (const part of parts) value.append(part)
    list.append(element("dt", undefined, term), value)
  }
  const name = element("strong", undefined, row.title)
  add("row", name)
  const ending = element("span", row.ending, glyphs[row.ending] + " " + endingWords[row.ending])
  add("outcome", ending, row.error === "" ? "" : ": " + row.error)
  add("time", between(row.begin, row.end), "; steps " + (row.begin[1] + 1) + " to " + (row.end === null ? "…" : row.end[1] + 1))
  if (row.parent >= 0) add("in", link(row.parent))
  if (row.by >= 0 && row.by !== row.parent) add("started by", link(row.by))
  if (row.body !== null && row.isBlock) add("body", between(...row.body))
  if (row.ready !== null) add("ready", "after " + duration(row.ready[0] - row.begin[0]))
  for (const { at, cancel } of row.told.slice(0, 20)) {
    add("told to stop", duration(at[0]) + ": " + cancel.message + " (" + cancel.source + ")", ...(cancel.from < 0 ? [] : [", by ", link(cancel.from)]))
  }
  for (const { begin, end, what } of row.cleanups) add(what, between(begin, end))
  const sums = waitSums(row)
  if (sums.length > 0) add("waits", sums.slice(0, 50).join("\n") + (sums.length > 50 ? "\nand " + (sums.length - 50) + " more" : ""))
  if (row.children.length > 0) add("rows below", String(row.children.length))
  page.append(list)
  $("said").textContent = spoken(row)
}

let shownCancels = 0
const moreCancels = () => {
  const body = $("cancelRows")
  const next = cancels.slice(shownCancels, shownCancels + 200)
  shownCancels += next.length
  for (const cancel of next) {
    const line = element("tr")
    const cell = (content, className) => {
      const made = element("td", className)
      made.append(content)
      line.append(made)
    }
    const jump = element("button", undefined, duration(cancel.at[0]))
    jump.onclick = () => {
      state.hoveredCancel = cancel.id
      select(cancel.to)
    }
    cell(jump, "n")
    cell(link(cancel.to))
    cell(cancel.from < 0 ? cancel.by : link(cancel.from))
    cell(cancel.message)
    cell(cancel.source)
    cell(String(cancel.told.length), "n")
    cell(cancel.took === Infinity ? "not yet" : duration(cancel.took), "n")
    line.onmouseenter = () => { state.hoveredCancel = cancel.id; draw() }
    line.onmouseleave = () => { state.hoveredCancel = -1; draw() }
    body.append(line)
  }
  $("moreCancels").hidden = shownCancels >= cancels.length
}

const showTab = (name) => {
  $("panel").classList.remove("closed")
  for (const tab of ["details", "cancels"]) {
    $(tab).hidden = tab !== name
    $(tab + "Tab").setAttribute("aria-selected", tab === name)
    $(tab + "Tab").tabIndex = tab === name ? 0 : -1
  }
  resized()
}
const closePanel = () => {
  $("panel").classList.add("closed")
  for (const tab of ["details", "cancels"]) $(tab + "Tab").setAttribute("aria-selected", false)
  resized()
}

const setUpPanels = () => {
  $("cancelsTab").textContent = "Cancels (" + cancels.length + ")"
  $("detailsTab").onclick = () => showTab("details")
  $("cancelsTab").onclick = () => showTab("cancels")
  $("closeTab").onclick = closePanel
  $("moreCancels").onclick = moreCancels
  $("tabs").onkeydown = (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return
    const other = $("details").hidden ? "details" : "cancels"
    showTab(other)
    $(other + "Tab").focus()
  }
  if (cancels.length === 0) $("cancelTable").replaceChildren(element("p", "muted", "Nothing was cancelled."))
  else moreCancels()
}
`
