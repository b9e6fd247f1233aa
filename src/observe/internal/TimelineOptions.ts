/** How a timeline is shown. */
export interface Options {
  /** What it is called. */
  readonly title?: string
  /**
   * Along what it is drawn. `order` gives each step the same room, and is what a run gets in which no time passes.
   * Default: `time`.
   */
  readonly axis?: "time" | "order"
  /** Of a picture in pixels (default: 880, at least 320), of a text in columns (default: 80, at least 40). */
  readonly width?: number
  /** When a picture or text has more rows than this, those that are alike are drawn together; `Infinity` draws all. Default: 120, or 60 for text. */
  readonly maxRows?: number
}

export const widthOption = (value: number | undefined, normal: number, least: number): number =>
  integerFrom("width", value ?? normal, least)

export const rowsOption = (value: number | undefined, normal: number): number =>
  value === Infinity ? Infinity : integerFrom("maxRows", value ?? normal, 1)

const integerFrom = (what: string, value: number, least: number): number => {
  if (typeof value === "number" && Number.isInteger(value) && value >= least) return value
  throw new RangeError(`Expected \`${what}\` to be an integer from ${least} and up, got \`${String(value)}\` (${typeof value})`)
}
