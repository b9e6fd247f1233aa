/**
 * A strict reader of what Prometheus scrapes (text format 0.0.4), for tests. It throws at whatever a scraper could refuse
 * or take for something else: a family in two places, a series twice, a histogram that does not add up.
 */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram" | "summary" | "untyped"
  readonly help: string | undefined
  readonly samples: ReadonlyArray<Sample>
}

interface Draft extends Family {
  readonly samples: Array<Sample>
}

const types = new Set(["counter", "gauge", "histogram", "summary", "untyped"])
const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*/
const number = /^(?:[+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/

export const parse = (text: string): ReadonlyMap<string, Family> => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  if (text.includes("\r")) throw new Error("there is a carriage return")
  const families = new Map<string, Draft>()
  const series = new Set<string>()
  let help: { readonly name: string; readonly text: string } | undefined
  let current: Draft | undefined
  for (const [index, line] of text.split("\n").slice(0, -1).entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${index + 1}: ${why}: ${line}`)
    }
    if (line.startsWith("# HELP ")) {
      const [, name, words] = /^# HELP (\S+) (.*)$/.exec(line) ?? fail("not a HELP line")
      if (families.has(name!)) fail("HELP after the TYPE of the same family")
      if (/\\(?![\\n])/.test(words!)) fail("an escape that is none")
      help = { name: name!, text: words! }
      continue
    }
    if (line.startsWith("# TYPE ")) {
      const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? fail("not a TYPE line")
      if (metricName.exec(name!)?.[0] !== name) fail("not a name of a metric")
      if (!types.has(type!)) fail("not a type")
      if (families.has(name!)) fail("a family in two places")
      if (help !== undefined && help.name !== name) fail("the HELP before is of another family")
      current = { name: name!, type: type as Family["type"], help: help?.text, samples: [] }
      families.set(name!, current)
      help = undefined
      continue
    }
    if (line === "" || line.startsWith("#")) fail("neither a sample nor a known comment")
    if (current === undefined) return fail("a sample without TYPE")
    const sample = sampleOf(line, fail)
    const suffix = sample.name.slice(current.name.length)
    const known = current.type === "histogram" ? ["_bucket", "_sum", "_count"] : current.type === "summary" ? ["", "_sum", "_count"] : [""]
    if (!sample.name.startsWith(current.name) || !known.includes(suffix)) fail(`not of the family ${current.name}`)
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted(([a], [b]) => a < b ? -1 : 1)])
    if (series.has(key)) fail("a series twice")
    series.add(key)
    if (current.type === "counter" && !(sample.value >= 0)) fail("a counter below 0")
    current.samples.push(sample)
  }
  for (const family of families.values()) {
    if (family.samples.length === 0) throw new Error(`${family.name}: no samples`)
    if (family.type === "histogram") checkHistogram(family)
  }
  return families
}

const sampleOf = (line: string, fail: (why: string) => never): Sample => {
  const name = metricName.exec(line)?.[0] ?? fail("no name")
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith("{")) {
    rest = rest.slice(1)
    while (!rest.startsWith("}")) {
      const label = labelName.exec(rest)?.[0] ?? fail("no name of a label")
      if (label.startsWith("__") || Object.hasOwn(labels, label)) fail(`the label ${label}`)
      const value = /^="((?:[^"\\\n]|\\[\\"n])*)"/.exec(rest.slice(label.length)) ?? fail(`the value of ${label}`)
      labels[label] = value[1]!.replaceAll(/\\(.)/g, (_, char: string) => char === "n" ? "\n" : char)
      rest = rest.slice(label.length + value[0].length)
      if (rest.startsWith(",")) rest = rest.slice(1)
      else if (!rest.startsWith("}")) fail("neither a comma nor the end of the labels")
    }
    rest = rest.slice(1)
  }
  if (!rest.startsWith(" ") || !number.test(rest.slice(1))) fail("not a number")
  return { name, labels, value: Number(rest.slice(1).replace("Inf", "Infinity")) }
}

/** For each set of labels: buckets that grow, an infinite one that equals the count, and a sum. */
const checkHistogram = ({ name, samples }: Family): void => {
  const groups = new Map<string, Array<Sample>>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1))
    groups.set(key, [...groups.get(key) ?? [], sample])
  }
  for (const [key, group] of groups) {
    const fail = (why: string): never => {
      throw new Error(`${name} ${key}: ${why}`)
    }
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const count = group.find((sample) => sample.name === `${name}_count`) ?? fail("no count")
    if (!group.some((sample) => sample.name === `${name}_sum`)) fail("no sum")
    let bound = -Infinity
    let below = 0
    for (const { labels, value } of buckets) {
      const le = Number((labels["le"] ?? fail("a bucket without a bound")).replace("Inf", "Infinity"))
      if (!(le > bound) || value < below) fail("buckets that do not grow")
      bound = le
      below = value
    }
    if (bound !== Infinity || below !== count.value) fail("the infinite bucket is not the count")
  }
}
