import { assert, describe, it } from "vitest"
import { plainEnv, start } from "../node/main/start.ts"
import { ctrlC, terminalWorks, typed } from "../node/main/terminal.ts"

const file = "examples/learn/main-with-ctrl-c.ts"

describe("examples/learn/main-with-ctrl-c.ts", () => {
  it("shows what runs on SIGQUIT, and after SIGINT takes no more orders, but serves those that it has taken", async () => {
    const kitchen = start(file)
    await kitchen.prints("order 2")
    kitchen.kill("SIGQUIT")
    await kitchen.prints("(receiving from channel orders)")
    kitchen.kill("SIGINT")
    const { code, stderr, stdout } = await kitchen.ended
    const lines = stdout.trimEnd().split("\n")
    const orders = lines.filter((line) => line.startsWith("order")).map((line) => line.slice("order ".length))
    const served = lines.filter((line) => line.endsWith("is served")).map((line) => /dish (\d+)/.exec(line)![1]!)
    assert.deepStrictEqual(served, orders)
    assert.isAbove(lines.indexOf("  dish 2 is served"), lines.indexOf("the kitchen closes, no more orders"))
    assert.match(stderr, /^SIGQUIT: 7 tasks\nscope main\n└─ body \(waiting\)\n {3}└─ nursery kitchen\n {6}├─ waiter /)
    assert.strictEqual(code, 0)
  })

  it.skipIf(!terminalWorks)("does the same with Ctrl-C in npm run, and ends at once with another", async () => {
    const npmRun = ["npm", "run", "-s", "example", "--", file]
    const drained = await typed(npmRun, [["order 1", ctrlC]], { env: plainEnv() })
    assert.match(drained.printed, /order 1\n\^C.*no more orders\n.*dish 1 is served\n/s)
    const ended = await typed(npmRun, [["order 1", ctrlC], ["once more ends it at once", ctrlC]], { env: plainEnv() })
    assert.notInclude(ended.printed, "is served")
  })
})
