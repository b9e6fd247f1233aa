import { Timeline } from "effect-nursery/observe"
import * as vm from "node:vm"
import { assert, describe, it } from "vitest"
import { duration } from "../../src/observe/internal/TimelineWords.ts"
import { model } from "../../src/observe/internal/ViewerModel.ts"
import { deep, draw, failing, hostile, limits, many, programs, shutdown } from "./timelines.ts"

const scriptsOf = (html: string): Array<{ readonly attributes: string; readonly text: string }> =>
  [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)].map(([, attributes, text]) => ({ attributes: attributes!, text: text! }))

const dataOf = (html: string): any => JSON.parse(scriptsOf(html)[0]!.text)

/** The part of the viewer that touches no document, as a page would run it. */
const viewer = vm.runInNewContext(`(() => {${model}
  return { duration, ticksOf, unpack, visibleOf, searchIn, crowdOf, clampView }
})()`) as any

const opened = async (program: Parameters<typeof draw>[0]) => viewer.unpack(dataOf(Timeline.toHtml(await draw(program))))

// What comes out of another realm has other prototypes.
const plain = (value: unknown): any => JSON.parse(JSON.stringify(value))

describe("Timeline.toHtml", () => {
  it("is one page that loads nothing and allows nothing to be loaded", async () => {
    for (const program of [shutdown, hostile]) {
      const html = Timeline.toHtml(await draw(program))
      assert.isTrue(html.startsWith("<!doctype html>\n<html lang=\"en\">"))
      assert.include(html, "default-src 'none'")
      assert.notMatch(html, /<(?:link|img|iframe|object|embed|base)\b|<[a-z][^<>]*\s(?:src|href)=|@import|url\(|fetch\(|XMLHttpRequest|import\(/i)
    }
  })

  it("has exactly its own two scripts, whatever names and errors contain", async () => {
    for (const [name, program] of Object.entries(programs)) {
      const html = Timeline.toHtml(await draw(program), { title: "</title><script>alert(1)</script>" })
      const scripts = scriptsOf(html)
      assert.lengthOf(scripts, 2, name)
      assert.strictEqual(scripts[0]!.attributes, " type=\"application/json\" id=\"data\"")
      assert.notInclude(scripts[0]!.text, "<")
      assert.lengthOf(html.match(/<script/g)!, 2)
      assert.lengthOf(html.match(/<\/script>/g)!, 2)
      assert.lengthOf(html.match(/<title>/g)!, 1)
      assert.notMatch(html, /<img/)
    }
  })

  it("has a script that is JavaScript", async () => {
    assert.doesNotThrow(() => new vm.Script(scriptsOf(Timeline.toHtml({ millis: 0, steps: 0, rows: [], cancels: [] }))[1]!.text))
  })

  it("puts nothing of the program into the page as markup", async () => {
    const script = scriptsOf(Timeline.toHtml(await draw(hostile)))[1]!.text
    assert.notMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/)
  })

  it("carries every row, wait, cleanup and cancel, also when there are 10,000 tasks", async () => {
    for (const program of [shutdown, limits, many(10_000)]) {
      const timeline = await draw(program)
      const data = viewer.unpack(dataOf(Timeline.toHtml(timeline)))
      assert.lengthOf(data.rows, timeline.rows.length)
      for (const row of timeline.rows) {
        const shown = data.rows[row.id]
        assert.deepStrictEqual(plain([shown.kind, shown.parent, shown.depth]), [row.kind, row.parent ?? -1, row.depth])
        assert.deepStrictEqual(plain([shown.begin, shown.end]), [[row.begin.at, row.begin.step], [row.end!.at, row.end!.step]])
        assert.deepStrictEqual(plain(shown.waits.map((wait: any) => wait.label)), row.waits.map((wait) => wait.label))
        assert.deepStrictEqual(plain(shown.cleanups.map((cleanup: any) => cleanup.what)), row.cleanups.map((cleanup) => cleanup.what))
      }
      assert.deepStrictEqual(
        plain(data.cancels.map((cancel: any) => [cancel.at[0], cancel.from, cancel.to, cancel.message, cancel.told.length])),
        timeline.cancels.map((cancel) => [cancel.at.at, cancel.from ?? -1, cancel.to, cancel.message, cancel.told.length])
      )
    }
  })

  it("is about a hundred bytes for each task", async () => {
    const size = (html: string) => html.length
    const small = size(Timeline.toHtml(await draw(many(100))))
    const large = size(Timeline.toHtml(await draw(many(10_000))))
    assert.isBelow((large - small) / 9_900, 160)
  })

  it("has the text form for who has no JavaScript, and names for who cannot see", async () => {
    const html = Timeline.toHtml(await draw(failing), { title: "Breakfast" })
    assert.match(html, /<noscript><pre>Breakfast\n[\s\S]*brew tea cancelled nursery breakfast/)
    assert.include(html, "<title>Breakfast · 1 block")
    for (const control of html.match(/<(?:button|input)[^>]*>[^<]*/g)!) {
      assert.match(control, /aria-label="[^"]+"|>\s*[^\s<]{2,}|data-ending|id="closeHelp"/, control)
    }
    assert.match(html, /role="tree" tabindex="0" aria-label="[^"]+"/)
  })

  it("is the same on every run", async () => {
    assert.strictEqual(Timeline.toHtml(await draw(shutdown)), Timeline.toHtml(await draw(shutdown)))
  })
})

describe("the viewer", () => {
  it("writes durations as the other forms do", () => {
    for (const millis of [0, 0.000001, 0.25, 1, 1.23456, 350, 999.96, 1500, 59_999, 125_000, 119_999, 5_400_000, 90_000_000]) {
      assert.strictEqual(viewer.duration(millis), duration(millis))
    }
  })

  it("hides what is below a closed row, and shows it in the line of the closed one", async () => {
    const data = await opened(deep(3))
    assert.deepStrictEqual(plain([...viewer.visibleOf(data, new Set()).lines]), [0, 1, 2, 3, 4, 5])
    const { lastBelow, lineOf, lines } = viewer.visibleOf(data, new Set([2]))
    assert.deepStrictEqual(plain([...lines]), [0, 1, 2])
    assert.deepStrictEqual(plain([...lineOf]), [0, 1, 2, 2, 2, 2])
    assert.deepStrictEqual(plain(lastBelow), [2, 2, 2])
  })

  it("opens and closes trees of 100,000 levels", () => {
    const rows = Array.from({ length: 100_000 }, (_, id) => ({ id, parent: id - 1, children: id === 99_999 ? [] : [id + 1] }))
    assert.lengthOf(viewer.visibleOf({ roots: [0], rows }, new Set()).lines, 100_000)
  })

  it("finds words in names, errors, endings and waits, in any case", async () => {
    const { rows } = await opened(failing)
    const found = (words: string) => [...viewer.searchIn(rows, words)].map((id) => rows[id].name)
    assert.deepStrictEqual(found("TEA"), ["brew tea"])
    assert.deepStrictEqual(found("pot 1"), ["breakfast", "brew tea"])
    assert.deepStrictEqual(found("cancelled"), ["bake bread", "feed the cat"])
    assert.deepStrictEqual(found("  "), [])
    const waits = (await opened(shutdown)).rows
    assert.deepStrictEqual([...viewer.searchIn(waits, "limiter lock")].map((id) => waits[id].name), ["waiter"])
  })

  it("says of a cancel how long it took until the last had ended", async () => {
    assert.deepStrictEqual(plain((await opened(failing)).cancels.map((cancel: any) => cancel.took)), [50])
    assert.deepStrictEqual(plain((await opened(limits)).cancels.map((cancel: any) => cancel.took)), [40, 0])
  })

  it("has ticks only where something is, and never too many", () => {
    for (const kind of ["time", "order"]) {
      for (const [from, to, extent] of [[0, 350, 350], [-50, 400, 350], [100, 100.001, 350], [0, 1e9, 1e9], [3.2, 9.7, 20]] as const) {
        const ticks = viewer.ticksOf(kind, from, to, (to - from) / 12, extent) as Array<[number, string]>
        assert.isAtMost(ticks.length, 14)
        for (const [at] of ticks) assert.isTrue(at >= 0 && at >= from - 1e-9 && at <= to && at <= extent, `${kind} ${at}`)
      }
    }
    assert.deepStrictEqual(plain(viewer.ticksOf("order", 0, 20, 5, 20)), [[4.5, "5"], [9.5, "10"], [14.5, "15"], [19.5, "20"]])
  })

  it("counts who lives", () => {
    const row = (from: number, to: number | null, isBlock = false) => ({ isBlock, begin: [from, 0], end: to === null ? null : [to, 0] })
    const crowd = viewer.crowdOf([row(0, 10), row(5, null), row(0, 10, true)], (moment: Array<number>) => moment[0], 10, 10)
    assert.deepStrictEqual(plain(crowd), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
  })

  it("does not zoom further than there is something to see", () => {
    assert.deepStrictEqual(plain(viewer.clampView(2, 3, 10, 0.1)), [2, 3])
    const [from, to] = viewer.clampView(5, 5, 10, 0.5)
    assert.closeTo(to - from, 0.5, 1e-9)
    const [left, right] = viewer.clampView(-1e6, 1e6, 10, 0.1)
    assert.closeTo(right - left, 40, 1e-9)
    const [far] = viewer.clampView(1e6, 1e6 + 10, 10, 0.1)
    assert.isBelow(far, 10)
  })
})
