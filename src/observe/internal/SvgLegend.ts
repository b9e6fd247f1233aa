/** The legend below the picture. */
import { margin, smallSize } from "./SvgLayout.ts"
import { flag, n, type Pen, text } from "./SvgPen.ts"
import { dots } from "./SvgStyle.ts"
import { cutToPixels, pixels } from "./TextWidth.ts"
import { shades } from "./TimelineWaits.ts"
import { oneLine, plural } from "./TimelineWords.ts"

/** What the signs mean: only those that occur. */
export const legendOf = (pen: Pen, y: number): { readonly svg: string; readonly bottom: number } => {
  const { width } = pen.layout
  const parts: Array<string> = []
  let x = margin
  let base = y
  const add = (sign: (x: number, y: number) => string, room: number, words: string): void => {
    const label = cutToPixels(words, 240, smallSize)
    const needed = room + 5 + pixels(label, smallSize) + 16
    if (x + needed > width - margin && x > margin) {
      x = margin
      base += 18
    }
    parts.push(sign(x, base), text(x + room + 5, base + 4, "muted small", label))
    x += needed
}
  // The words for the endings stand beside their signs.
  if (pen.bodied) add((x, y) => `<path class="rail" stroke-width="5" d="M${n(x)} ${n(y)}h20"/>`, 20, "body")
  const sample = (fill: string) => (x: number, y: number) =>
    `<rect fill="url(#${fill})" class="guide" x="${n(x)}" y="${n(y - 6)}" width="22" height="12" rx="2"/>`
  if (pen.timeline.cancels.some((cancel) => cancel.from !== undefined || cancel.told.length > 1)) {
    add((x, y) => `<path class="cl lines" stroke-width="1.4" d="M${n(x + 4)} ${n(y - 7)}v9"/><circle class="c" cx="${n(x + 4)}" cy="${n(y - 6)}" r="2.4"/><path class="c" d="M${n(x + 4)} ${n(y + 7)}l-3.6-6h7.2z"/>`, 9, "cancels")
}
  if (pen.timeline.cancels.some((cancel) => cancel.source === "deadline")) add((x, y) => flag(x + 3, y + 2, false), 12, "deadline")
  if (pen.readied) add((x, y) => `<path class="bg muted-l" stroke-width="1.4" d="M${n(x + 1)} ${n(y - 4)}h8l-4 7z"/>`, 10, "ready")
  if (pen.cleaned) add(sample(pen.use("cleanup", dots("cleanup"))), 22, "cleanup")
  const waits = [...pen.waits]
  for (const [what, fill] of waits.slice(0, shades)) add(sample(fill), 22, `waits: ${oneLine(what)}`)
  if (waits.length > shades) add(() => "", 0, `and ${plural(waits.length - shades, "other wait")}`)
  return { svg: `<g>${parts.join("")}</g>`, bottom: parts.length === 0 ? y - 10 : base + 8 }
}
