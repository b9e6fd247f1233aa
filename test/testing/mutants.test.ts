/** Six bugs, planted one at a time in a copy of the core, and the schedules that show them. */
import type * as Explore from "effect-nursery/testing/Explore"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, describe, it } from "vitest"
import { root } from "../docs/blocks.ts"
import { type Subject, subjects } from "./primitives.ts"

interface Mutant {
  readonly bug: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** Rare: more schedules of the program that shows it. */
  readonly rareIn?: string
}

const mutants: ReadonlyArray<Mutant> = [
  {
    bug: "drop a wake-up that comes between deciding to wait and waiting",
    file: "src/core/internal/Wait.ts",
    from: "const now = ready?.()",
    to: "const now = undefined as Effect.Effect<A, E> | undefined"
  },
  {
    bug: "forget a release on cancel",
    file: "src/core/CapacityLimiter.ts",
    from: "return Effect.onExit(body, () => {\n      hold.release()",
    to: "return Effect.onExit(body, (exit) => {\n      if (exit._tag === \"Success\") hold.release()"
  },
  {
    bug: "last in, first out",
    file: "src/core/internal/Wait.ts",
    from: "wait.previous = this.last\n    if (this.last === undefined) this.first = wait\n    else this.last.next = wait\n    this.last = wait",
    to: "wait.next = this.first\n    if (this.first === undefined) this.last = wait\n    else this.first.previous = wait\n    this.first = wait"
  },
  {
    bug: "lose the second error",
    file: "src/core/internal/Outcome.ts",
    from: "else this.errors.push(kept)",
    to: ""
  },
  {
    bug: "absorb a foreign cancel",
    file: "src/core/internal/ScopeBlock.ts",
    from: "const absorbs = reason !== undefined && !this.passesOn",
    to: "const absorbs = reason !== undefined"
  },
  {
    bug: "resume twice",
    file: "src/core/internal/Wait.ts",
    from: "resumeNow(exit: AnyEffect): void {\n    this.queue?.remove(this)",
    to: "resumeNow(exit: AnyEffect): void {"
  }
]

/** Real bugs of the core that exploration has found, put back. */
const mended: ReadonlyArray<Mutant> = [
  {
    bug: "a receiver that paused before its wait loses the value that came meanwhile, if it is cancelled then",
    file: "src/core/internal/ChannelState.ts",
    from: "resume(this.receiveIn(Fiber.getCurrent()))",
    to: "resume(this.receiveIn(undefined))",
    rareIn: "a channel of 0 loses no value and gives none twice"
  }
]

type Library = Parameters<typeof subjects>[0]
type Explorer = typeof Explore

// Each test leaves a folder with copies of src; this process' own.
const folder = path.join(root, ".mutants", String(process.pid))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** A copy of the library with one bug. The explorer is of the same copy: it knows the core's fibers by its classes. */
const load = async (name: string, mutant: Mutant | undefined): Promise<readonly [Library, Explorer]> => {
  const copy = path.join(folder, name)
  fs.cpSync(path.join(root, "src"), path.join(copy, "src"), { recursive: true })
  if (mutant !== undefined) {
    const file = path.join(copy, mutant.file)
    const text = fs.readFileSync(file, "utf8")
    assert.lengthOf(text.split(mutant.from), 2, `${mutant.file} says it once: ${mutant.from}`)
    fs.writeFileSync(file, text.replace(mutant.from, () => mutant.to))
  }
  const at = (module: string) => import(/* @vite-ignore */ pathToFileURL(path.join(copy, module)).href)
  return [await at("src/index.ts") as Library, await at("src/testing/Explore.ts") as Explorer]
}

const runs = 250

interface Kill {
  readonly subject: Subject
  readonly schedules: number
  readonly message: string
}

/** The first program and schedule that show a bug; `undefined` when all programs hold. */
const kill = (library: Library, Explore: Explorer, rareIn?: string): Kill | undefined => {
  for (const subject of subjects(library).filter(({ name }) => rareIn === undefined || name === rareIn)) {
    for (const cancelEverywhere of subject.options?.cancelEverywhere === false ? [false] : [false, true]) {
      const report = Explore.run(subject.program, {
        runs: rareIn === undefined ? runs : 6 * runs,
        ...subject.options,
        cancelEverywhere,
        holds: (wrong) => assert.deepStrictEqual(wrong, [])
      })
      if (report._tag === "Found") return { subject, schedules: report.schedules, message: `${report.why} [${report.schedule}] ${report.message}` }
    }
  }
  return undefined
}

describe("Exploring the core's own programs", { timeout: 60_000 }, () => {
  it("finds nothing in the core as it is", async () => {
    const killed = kill(...await load("unchanged", undefined))
    assert.isUndefined(killed, killed?.message)
  })

  for (const [index, mutant] of [...mutants, ...mended].entries()) {
    it(`finds the bug: ${mutant.bug}`, async () => {
      const [library, Explore] = await load(String(index), mutant)
      const killed = kill(library, Explore, mutant.rareIn)
      if (killed === undefined) assert.fail("nothing was found")
      console.log(`mutant "${mutant.bug}": schedule ${killed.schedules} of "${killed.subject.name}"`)
    })
  }

  it("is what finds some of them: the usual order does not show the dropped wake-up and the absorbed cancel", async () => {
    const shown = new Set<string>()
    for (const [index, mutant] of mutants.entries()) {
      const [library, Explore] = await load(String(index), mutant)
      for (const { options, program } of subjects(library)) {
        const report = Explore.run(program, { ...options, runs: 1, seed: 0, holds: (wrong) => wrong.length === 0 })
        if (report._tag === "Found") shown.add(mutant.bug)
      }
    }
    assert.isFalse(shown.has("drop a wake-up that comes between deciding to wait and waiting"))
    assert.isFalse(shown.has("absorb a foreign cancel"))
    assert.isTrue(shown.has("lose the second error"))
  })
})
