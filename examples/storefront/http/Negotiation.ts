/** Which form of an answer a client likes best (RFC 9110, `Accept`). */

/** The first of those that it likes most, of those that there are; nothing, if it accepts none. */
export const preferred = <const Type extends string>(accept: string | undefined, types: ReadonlyArray<Type>): Type | undefined => {
  if (accept === undefined || accept === "" || accept === "*/*") return types[0]
  const ranges = accept.split(",").map(rangeOf)
  let best: Type | undefined
  let bestQuality = 0
  for (const type of types) {
    const quality = qualityOf(type, ranges)
    if (quality > bestQuality) {
      best = type
      bestQuality = quality
    }
  }
  return best
}

interface Range {
  readonly type: string
  readonly quality: number
}

const rangeOf = (text: string): Range => {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith("q="))
  const quality = q === undefined ? 1 : Number(q.slice(2))
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

/** What says most about the type decides: `text/csv` before its family, before anything. */
const qualityOf = (type: string, ranges: ReadonlyArray<Range>): number => {
  const family = `${type.slice(0, type.indexOf("/"))}/*`
  for (const name of [type, family, "*/*"]) {
    const range = ranges.find((one) => one.type === name)
    if (range !== undefined) return range.quality
  }
  return 0
}
