/** The part of the viewer that shows names: real elements, but only for the rows that are seen. */
export const tree = String.raw`
const pool = new Map()
const element = (tag, className, text) => {
  const made = document.createElement(tag)
  if (className !== undefined) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}
const spoken = (row) => {
  const span = row.end === null ? "since " + duration(row.begin[0]) : "from " + duration(row.begin[0]) + " to " + duration(row.end[0])
  return row.title + ", " + endingWords[row.ending] + (row.error === "" ? "" : ": " + row.error.split("\n")[0]) + ", " + span
}

const makeRow = (row) => {
  const made = element("div", "row")
  made.id = "row" + row.id
  made.dataset.row = row.id
  made.setAttribute("role", "treeitem")
  made.setAttribute("aria-level", row.depth + 1)
  made.setAttribute("aria-label", spoken(row))
  made.style.paddingLeft = Math.min(row.depth, 12) * 13 + 4 + "px"
  const caret = element("span", "caret")
  caret.setAttribute("aria-hidden", "true")
  const sign = element("span", "sign " + row.ending, glyphs[row.ending])
  made.append(caret, sign)
  if (row.kindWord !== "") made.append(element("span", "kind", row.kindWord))
  made.append(element("span", row.isBlock ? "name block" : "name", row.kindWord !== "" && row.name === "" ? "" : row.name))
  return made
}

const drawTree = (first, last, scrolled) => {
  const { lines } = state.visible
  const holder = $("rows")
  const wanted = new Set()
  for (let line = first; line <= last; line++) wanted.add(lines[line])
  for (const [id, made] of pool) if (!wanted.has(id)) { made.remove(); pool.delete(id) }
  for (let line = first; line <= last; line++) {
    const row = rows[lines[line]]
    let made = pool.get(row.id)
    if (made === undefined) {
      made = makeRow(row)
      pool.set(row.id, made)
      holder.append(made)
    }
    const open = !state.collapsed.has(row.id)
    made.style.top = line * lineHeight - scrolled + 2 + "px"
    made.classList.toggle("selected", row.id === state.selected)
    made.classList.toggle("hover", row.id === state.hovered)
    made.classList.toggle("found", state.foundSet.has(row.id))
    made.setAttribute("aria-selected", row.id === state.selected)
    made.setAttribute("aria-posinset", line + 1)
    made.setAttribute("aria-setsize", lines.length)
    if (row.children.length > 0) {
      made.setAttribute("aria-expanded", open)
      made.firstChild.textContent = open ? "▾" : "▸"
    }
  }
  if (wanted.has(state.selected)) $("tree").setAttribute("aria-activedescendant", "row" + state.selected)
  else $("tree").removeAttribute("aria-activedescendant")
}
`
