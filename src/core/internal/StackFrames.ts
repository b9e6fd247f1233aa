/** Where an error was made, in the code of whoever uses the library: other frames are folded away. */
import * as Cause from "effect/Cause"

// The folder that holds the whole library; nothing if a bundler has moved this module.
const ownFolder = /* @__PURE__ */ (() => /^.*\/(?=core\/internal\/[^/]+$)/.exec(pathOf((import.meta as { readonly url?: string }).url ?? ""))?.[0])()

/** Frames of the user's code, the innermost first, such as `brew (src/tea.ts:12:5)`. Files below `folder` are shortened. */
export const framesOf = (stack: string, folder: string | undefined): ReadonlyArray<string> => {
  const own: Array<string> = []
  let inPackage: string | undefined
  for (const line of stack.split("\n")) {
    const frame = frameOf(line)
    if (frame === undefined || (ownFolder !== undefined && frame.file.startsWith(ownFolder))) continue
    const packaged = /\/node_modules\/(?!\.)((?:@[^/]+\/)?([^/]+)\/.*)$/.exec(frame.file)
    if (packaged === null) own.push(written(frame, shortened(frame.file, folder)))
    else if (packaged[2] !== "effect" && packaged[2] !== "effect-nursery") inPackage ??= written(frame, packaged[1]!)
  }
  // Better where in a library than nothing.
  return own.length === 0 && inPackage !== undefined ? [inPackage] : own
}

/** What Effect noted where a failure left a span or an `Effect.fn`; the only trace of an error that is no `Error`. */
export const spanFramesOf = (reason: Cause.Fail<unknown> | Cause.Die, folder: string | undefined): ReadonlyArray<string> => {
  const frames: Array<string> = []
  const noted = reason.annotations.get(Cause.StackTrace.key) as SpanFrame | undefined
  for (let span = noted; span !== undefined && frames.length < mostSpans; span = span.parent) {
    // `Effect.fn` notes where it was called and, apart, where it was defined.
    if (span.name.endsWith("(definition)")) continue
    for (const frame of framesOf(span.stack() ?? "", folder)) frames.push(`${span.name} (${/\(([^()]*)\)$/.exec(frame)?.[1] ?? frame})`)
  }
  return frames
}

const mostSpans = 10

interface SpanFrame {
  readonly name: string
  readonly stack: () => string | undefined
  readonly parent: SpanFrame | undefined
}

interface Frame {
  readonly call: string
  readonly file: string
  /** Line and column, with their colons. */
  readonly place: string
}

const frameOf = (line: string): Frame | undefined => {
  const match = /^\s*at (?:(?:async )?(.*?) \()?(?:async )?(.+?)(:\d+:\d+)\)?$/.exec(line)
  if (match === null) return undefined
  const file = pathOf(match[2]!)
  if (file.startsWith("node:") || file.startsWith("<")) return undefined
  return { call: (match[1] ?? "").replace(/^(?:Object|Module)\.?(?:<anonymous>)?/, "").replace(/ \[as .*\]$/, ""), file, place: match[3]! }
}

function pathOf(location: string): string {
  if (!location.startsWith("file://")) return location.replaceAll("\\", "/")
  try {
    // On Windows `file:///C:/a.ts` is the file `C:/a.ts`.
    return decodeURIComponent(location.slice("file://".length)).replace(/^\/(?=[A-Za-z]:\/)/, "")
  } catch {
    return location
  }
}

const shortened = (file: string, folder: string | undefined): string => {
  if (folder === undefined) return file
  const prefix = folder.replaceAll("\\", "/").replace(/\/*$/, "/")
  return file.startsWith(prefix) ? file.slice(prefix.length) : file
}

const written = (frame: Frame, file: string): string =>
  frame.call === "" ? `${file}${frame.place}` : `${frame.call} (${file}${frame.place})`
