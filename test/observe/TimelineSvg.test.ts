/**
 * The pictures. Those of the documentation are kept in docs/_timelines and compared here; when one has changed on
 * purpose, look at it, and write it anew with `npx vitest run test/observe/TimelineSvg.test.ts -u`.
 */
import { Effect } from "effect"
import { Nursery } from "effect-nursery"
import { Timeline } from "effect-nursery/observe"
import { assert, describe, expect, it } from "vitest"
import { dark, light } from "../../src/observe/internal/SvgStyle.ts"
import { problemsOf, wordsOf } from "./markup.ts"
import { atOnce, backPressure, deep, draw, eventsOf, failing, hostile, limits, many, programs, randomProgram, shutdown } from "./timelines.ts"

const kept = { backPressure: "back-pressure", atOnce: "at-once", limits: "time-limits", shutdown: "shutdown" }

describe("Timeline.toSvg", () => {
  for (const [name, file] of Object.entries(kept)) {
    it(`draws docs/_timelines/${file}.svg, byte by byte`, async () => {
      const svg = Timeline.toSvg(await draw(programs[name]!))
      await expect(svg).toMatchFileSnapshot(`../../docs/_timelines/${file}.svg`)
    })
  }

  it("is well-formed, on both axes, narrow and wide, whatever the program did and how it calls things", async () => {
    for (const [name, program] of Object.entries(programs)) {
      const timeline = await draw(program)
      for (const axis of ["time", "order"] as const) {
        for (const width of [320, 880, 2000]) {
          assert.deepStrictEqual(problemsOf(Timeline.toSvg(timeline, { axis, width, title: `<${name}> & "co"` })), [], `${name} ${axis} ${width}`)
        }
      }
    }
    for (let seed = 1; seed <= 60; seed++) {
      assert.deepStrictEqual(problemsOf(Timeline.toSvg(await draw(randomProgram(seed)))), [], `program ${seed}`)
    }
  })

  it("does not depend on the numbers that tasks had, so a second run in one process looks the same", async () => {
    assert.strictEqual(Timeline.toSvg(await draw(shutdown)), Timeline.toSvg(await draw(shutdown)))
  })

  it("says the ending of each row in a word, and the error", async () => {
    const words = wordsOf(Timeline.toSvg(await draw(failing)))
    assert.includeMembers(words, [
      "nursery breakfast", "brew tea", "failed: Error: pot 1 is empty", "succeeded", "cancelled", "brew tea failed", "finalizer",
      "0", "100 ms", "200 ms", "300 ms", "350 ms", "1 block · 4 tasks (1 failed, 2 cancelled, 1 succeeded) · 350 ms"
    ])
    assert.includeMembers(wordsOf(Timeline.toSvg(await draw(limits))), ["cancelled, went on", "its time was up", "deadline"])
  })

  it("has a shape of its own for each ending", async () => {
    const shapes = new Set<string>()
    for (const outcome of [{ _tag: "succeeded" }, { _tag: "failed", error: "e" }, { _tag: "died", defect: "d" }, { _tag: "cancelled" }] as const) {
      const svg = Timeline.toSvg(Timeline.fromEvents([
        { _tag: "started", at: 0, task: 1, block: 1, kind: "task", name: "t", by: undefined },
        { _tag: "ended", at: 5, task: 1, outcome }
      ]))
      const badge = /<g transform="translate[^>]*>(.*?)<\/g>/.exec(svg.slice(svg.lastIndexOf("<g transform")))![1]!
      shapes.add(badge.replaceAll(/class="[^"]*"/g, ""))
    }
    assert.strictEqual(shapes.size, 4)
  })

  it("keeps what failed, and who cancelled others, when rows are drawn together", async () => {
    const words = wordsOf(Timeline.toSvg(await draw(many(2000)), { maxRows: 50 }))
    assert.includeMembers(words, ["job 77", "failed: unlucky", "1,975 others …"])
    const counts = words.find((word) => word.endsWith("succeeded") && word.includes("cancelled,"))
    const [cancelled, succeeded] = counts!.replaceAll(",", "").match(/\d+/g)!.map(Number)
    assert.strictEqual(cancelled! + succeeded!, 1975)
    assert.lengthOf(wordsOf(Timeline.toSvg(await draw(many(200)), { maxRows: Infinity })).filter((word) => word.startsWith("job ")), 200 + 1)
  })

  it("cuts deep trees below a depth, and says how much is there", async () => {
    const words = wordsOf(Timeline.toSvg(await draw(deep(200)), { maxRows: 40 }))
    assert.include(words, "nursery level 1")
    assert.notInclude(words, "nursery level 200")
    assert.isTrue(words.some((word) => /^\d+ failed$/.test(word)), words.join("\n"))
  })

  it("has a title and a description that tell what happened", async () => {
    const svg = Timeline.toSvg(await draw(failing), { title: "Breakfast" })
    assert.match(svg, /<title id="[^"]*">Breakfast: 1 block · 4 tasks \(1 failed, 2 cancelled, 1 succeeded\) · 350 ms<\/title>/)
    assert.include(svg, "300 ms: brew tea cancelled nursery breakfast (bake bread and feed the cat): brew tea failed.")
    assert.match(svg, /role="img" aria-labelledby="\S+-t \S+-d"/)
  })

  it("shows names and errors as text only", async () => {
    const svg = Timeline.toSvg(await draw(hostile))
    assert.notMatch(svg, /<(?:script|img|b)\b/)
    assert.include(wordsOf(svg), "</script><img src=x onerror=alert(1)>")
    assert.isTrue(wordsOf(svg).some((word) => word.startsWith("␛[31mred␀ reversed")))
    // Five thousand letters are cut.
    assert.isTrue(wordsOf(svg).every((word) => word.length < 200))
  })

  it("does not fetch anything", async () => {
    for (const program of [shutdown, hostile]) {
      const svg = Timeline.toSvg(await draw(program)).replace("xmlns=\"http://www.w3.org/2000/svg\"", "")
      assert.notMatch(svg, /https?:|@import|href|url\((?!#)/)
    }
  })

  it("draws what still runs to the edge, with a ragged end", async () => {
    const events = (await eventsOf(failing)).filter((event) => event.at < 300)
    const svg = Timeline.toSvg(Timeline.fromEvents(events))
    assert.include(wordsOf(svg), "still running")
  })

  it("draws thousands of waits that share a pixel once", async () => {
    const events = [
      { _tag: "started", at: 0, task: 1, block: 1, kind: "task", name: "t", by: undefined } as const,
      ...Array.from({ length: 20_000 }, (_, i) => [
        { _tag: "waiting", at: i, task: 1, wait: i, label: "receiving from channel c" } as const,
        { _tag: "resumed", at: i + 0.5, task: 1, wait: i } as const
      ]).flat()
    ]
    assert.isBelow(Timeline.toSvg(Timeline.fromEvents(events)).length, 400_000)
  })

  it("says that nothing was recorded", async () => {
    assert.include(wordsOf(Timeline.toSvg(await draw(Effect.void))), "No nursery, scope or task ran while this was recorded.")
  })

  it("gives things that are waited for a shade each, and says which", async () => {
    const svg = Timeline.toSvg(await draw(backPressure))
    assert.include(wordsOf(svg), "waits: channel orders")
    // Who sends has stripes that lean the other way.
    assert.match(svg, /id="[^"]*-w0"[^>]*rotate\(45\)/)
    assert.match(svg, /id="[^"]*-w0g"[^>]*rotate\(-45\)/)
  })

  it("has colours that can be read on their background, in both schemes", () => {
    const luminance = (colour: string) => {
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
        .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
    }
    const contrast = (a: string, b: string) => {
      const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x)
      return (high! + 0.05) / (low! + 0.05)
    }
    for (const scheme of [light, dark]) {
      // WCAG 2.2: 4.5 for text, 3 for what is drawn.
      for (const text of [scheme.ink, scheme.muted, scheme.cancel, scheme.endings.failed, scheme.endings.died]) {
        assert.isAtLeast(contrast(text, scheme.card), 4.5, `${text} on ${scheme.card}`)
      }
      for (const shape of Object.values(scheme.endings)) assert.isAtLeast(contrast(shape, scheme.card), 3, `${shape} on ${scheme.card}`)
    }
  })

  it("gives two pictures in one page different ids", async () => {
    const ids = (svg: string) => [...svg.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!)
    const one = ids(Timeline.toSvg(await draw(atOnce)))
    const other = ids(Timeline.toSvg(await draw(failing)))
    assert.deepStrictEqual(one.filter((id) => other.includes(id)), [])
  })

  it("takes the width that it is given, and more only for steps that would be too narrow", async () => {
    const widthOf = (svg: string) => Number(/ width="(\d+)"/.exec(svg)![1])
    const timeline = await draw(Nursery.open((n) => Effect.forEach(Array.from({ length: 100 }), () => n.startSoon(Effect.sleep(1)))))
    assert.strictEqual(widthOf(Timeline.toSvg(timeline, { width: 500 })), 500)
    assert.isAbove(widthOf(Timeline.toSvg(timeline, { width: 500, axis: "order" })), 16 * timeline.steps)
  })
})
