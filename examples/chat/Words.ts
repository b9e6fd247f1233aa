/** Durations and sizes in words, as the command line takes them: `15s`, `4KiB`, `20/1s`. */
import * as Duration from "effect/Duration"
import type { Rate } from "./FloodLimit.ts"

/** A number alone is seconds. */
const units = { "": 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const sizes = { B: 1, KiB: 1024, MiB: 1_048_576 } as const

const expected = (what: string, text: string): Error => new Error(`expected ${what}, got ${JSON.stringify(text)}`)

export const duration = (text: string): Duration.Duration => {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/u.exec(text) ?? []
  const millis = Number(count) * units[unit as keyof typeof units]
  if (millis > 0) return Duration.millis(millis)
  throw expected("a time such as 500ms, 15s (or 15), 2m or 1h", text)
}

export const size = (text: string): number => {
  const [, count, unit = "B"] = /^(\d+)(B|KiB|MiB)?$/u.exec(text) ?? []
  const bytes = Number(count) * sizes[unit as keyof typeof sizes]
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw expected("a size such as 500, 4KiB or 1MiB", text)
}

/** `undefined`: no limit. */
export const rate = (text: string): Rate | undefined => {
  if (text === "off") return undefined
  const [, lines, time] = /^(\d+)\/(.+)$/u.exec(text) ?? []
  if (lines === undefined || Number(lines) === 0) throw expected("a number of lines in a time such as 20/1s, or off", text)
  return { count: Number(lines), millis: Duration.toMillis(duration(time!)) }
}

export const oneOf = <const Words extends ReadonlyArray<string>>(...words: Words) => (text: string): Words[number] => {
  if (words.includes(text)) return text
  throw expected(words.join(" or "), text)
}

export const port = (text: string): number => {
  if (/^\d{1,5}$/u.test(text) && Number(text) <= 65535) return Number(text)
  throw expected("a number from 0 to 65535", text)
}

export const sizeInWords = (bytes: number): string => {
  const unit = (["MiB", "KiB"] as const).find((name) => bytes % sizes[name] === 0) ?? "B"
  return `${bytes / sizes[unit]}${unit}`
}

export const count = (least: number) => (text: string): number => {
  const value = Number(text)
  if (/^\d+$/u.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw expected(`a whole number from ${least} and up`, text)
}

/** In the largest unit that gives a whole number, except that one minute is sixty seconds. */
export const inWords = (input: Duration.Duration): string => {
  const millis = Duration.toMillis(input)
  const larger = millis === units.m ? (["s"] as const) : (["h", "m", "s"] as const)
  const unit = larger.find((name) => millis % units[name] === 0) ?? "ms"
  return `${millis / units[unit]}${unit}`
}
