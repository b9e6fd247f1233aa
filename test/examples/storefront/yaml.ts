/**
 * Reads the part of YAML that compose files here are written in, and throws at everything else: maps and lists by indentation,
 * lists in brackets, plain and quoted texts, comments on lines of their own.
 */
export type Yaml = string | null | ReadonlyArray<Yaml> | { readonly [key: string]: Yaml }

interface Line {
  readonly number: number
  readonly indent: number
  readonly text: string
}

export const parse = (source: string): Yaml => {
  const lines: Array<Line> = []
  for (const [index, raw] of source.split("\n").entries()) {
    const text = raw.trim()
    if (text === "" || text.startsWith("#")) continue
    if (raw.includes("\t")) throw new Error(`line ${index + 1}: a tab`)
    lines.push({ number: index + 1, indent: raw.length - raw.trimStart().length, text })
  }
  let at = 0

  const block = (indent: number): Yaml => {
    const first = lines[at]!
    if (first.indent !== indent) throw new Error(`line ${first.number}: indented by ${first.indent}, expected ${indent}`)
    return first.text.startsWith("- ") ? list(indent) : map(indent)
  }

  const below = (indent: number): Yaml => {
    const next = lines[at]
    return next === undefined || next.indent <= indent ? null : block(next.indent)
  }

  const list = (indent: number): ReadonlyArray<Yaml> => {
    const items: Array<Yaml> = []
    for (let line = lines[at]; line !== undefined && line.indent === indent; line = lines[at]) {
      if (!line.text.startsWith("- ")) throw new Error(`line ${line.number}: not an item of the list`)
      at++
      items.push(scalar(line.text.slice(2), line.number))
    }
    return items
  }

  const map = (indent: number): { readonly [key: string]: Yaml } => {
    const entries: Record<string, Yaml> = {}
    for (let line = lines[at]; line !== undefined && line.indent >= indent; line = lines[at]) {
      const found = /^([\w.-]+):(?: (.+))?$/.exec(line.text)
      if (line.indent !== indent || found === null) throw new Error(`line ${line.number}: not an entry of the map: ${line.text}`)
      const [, key, value] = found
      if (Object.hasOwn(entries, key!)) throw new Error(`line ${line.number}: ${key} twice`)
      at++
      entries[key!] = value === undefined ? below(indent) : scalar(value, line.number)
    }
    return entries
  }

  const all = block(0)
  if (at < lines.length) throw new Error(`line ${lines[at]!.number}: belongs to nothing`)
  return all
}

const scalar = (text: string, number: number): Yaml => {
  if (text.startsWith("\"") || text.startsWith("[")) {
    try {
      return JSON.parse(text) as Yaml
    } catch {
      throw new Error(`line ${number}: not a quoted text or a list: ${text}`)
    }
  }
  // A reader of YAML would take these for something else than they look like.
  if (/^[&*!|>%@`'{]|: | #/.test(text)) throw new Error(`line ${number}: needs quotes: ${text}`)
  return text
}
