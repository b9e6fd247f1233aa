/** Sources of bytes that are cut where a test wants them to be. */
import { Effect, Option } from "effect"

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

interface CountingSource {
  receives: number
  bytes: number
  readonly receive: Effect.Effect<Option.Option<Uint8Array>>
}

/** Gives these chunks and then the end, and counts what was taken. */
export const sourceOf = (chunks: Iterable<Uint8Array | string>): CountingSource => {
  const all = Array.from(chunks, (chunk) => typeof chunk === "string" ? bytesOf(chunk) : chunk)
  const source: CountingSource = {
    receives: 0,
    bytes: 0,
    receive: Effect.sync(() => {
      const chunk = all[source.receives++]
      source.bytes += chunk?.length ?? 0
      return Option.fromUndefinedOr(chunk)
    })
  }
  return source
}

/** Cuts bytes behind each of these positions. */
export const cutAt = (bytes: Uint8Array, positions: Iterable<number>): Array<Uint8Array> => {
  const cuts = [...new Set([0, ...[...positions].map((_) => _ % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return cuts.slice(1).map((end, i) => bytes.slice(cuts[i]!, end))
}

/** Whole, byte by byte, and every way to cut in two. */
export const everyCut = (bytes: Uint8Array): Array<Array<Uint8Array>> => [
  [bytes],
  cutAt(bytes, bytes.keys()),
  ...[...bytes.keys()].slice(1).map((at) => cutAt(bytes, [at]))
]
