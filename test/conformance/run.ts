/**
 * Runs corpus files: `npm run -s conformance -- FILE…`
 *
 * Prints every failure with both traces side by side, the skips by rule, and one
 * closing line. Exit status 1 if a scenario failed, 2 if a file is no corpus.
 */
import { readFileSync } from "node:fs"
import { judge, parse } from "./corpus.ts"
import { skips } from "./skips.ts"

const main = async (files: ReadonlyArray<string>): Promise<number> => {
  if (files.length === 0) {
    console.error("Usage: npm run -s conformance -- FILE…")
    return 2
  }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const skipped = new Map(skips.map(({ rule }) => [rule, 0]))
  for (const file of files) {
    for (const scenario of parse(readFileSync(file, "utf8"), file)) {
      const verdict = await judge(scenario)
      if (verdict._tag === "Passed") counts.passed++
      else if (verdict._tag === "Skipped") {
        counts.skipped++
        skipped.set(verdict.rule, skipped.get(verdict.rule)! + 1)
      } else {
        counts.failed++
        console.log(`FAILED ${scenario.id}${scenario.title === undefined ? "" : `: ${scenario.title}`}\n${verdict.report}\n`)
      }
    }
  }
  for (const { rule, why } of skips) console.log(`skipped ${String(skipped.get(rule)).padStart(3)}  ${rule}: ${why}`)
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  return counts.failed === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 2
})
