import { spawn } from "node:child_process"
import { assert, describe, it } from "vitest"
import { nodeArguments, plainEnv, root } from "../../node/main/start.ts"
import { openPty, type Pty, terminalWorks } from "./pty.ts"

const file = "test/examples/terminal/programs.ts"

const open = (name: string, options: { readonly rows?: number; readonly columns?: number; readonly env?: NodeJS.ProcessEnv } = {}) =>
  openPty([process.execPath, ...nodeArguments(file, [name])], { rows: 8, columns: 40, ...options })

/** However it ended: the terminal is as it was. */
const isRestored = async (pty: Pty, code: number) => {
  assert.deepStrictEqual(await pty.left, { code, restored: true })
  const { bracketedPaste, cursorVisible, unknown, wraps } = pty.screen
  assert.deepStrictEqual({ bracketedPaste, cursorVisible, unknown, wraps }, { bracketedPaste: false, cursorVisible: true, unknown: [], wraps: true })
}

describe.skipIf(!terminalWorks)("a terminal", { timeout: 60_000 }, () => {
  it("shows what is entered above the line that is being typed (S1-8.5, S1-8.8)", async () => {
    const pty = await open("echo")
    await pty.shows(">")
    pty.type("ab\u007fc\r漢字👍\u007f\rhel")
    // The keys are shown as they are typed; what was entered comes a turn later.
    await pty.until((screen) => screen.lines.at(-1) === "> hel" && screen.text.includes("漢字"))
    assert.deepStrictEqual(pty.screen.lines, ["", "", "", "", "", "entered \"ac\"", "entered \"漢字\"", "> hel"])
    assert.deepStrictEqual([pty.screen.row, pty.screen.column], [7, 5])
    pty.type("\u0015\u0004")
    await isRestored(pty, 0)
    assert.deepStrictEqual(pty.screen.lines.slice(4), ["entered \"ac\"", "entered \"漢字\"", "the end", ""])
  })

  it("loses no typed character while a thousand lines come (M12)", async () => {
    const pty = await open("floods")
    await pty.shows("ready")
    const sentence = "the quick brown fox, 漢字, jumps over 👍"
    pty.type("\r")
    for (const letter of sentence) {
      const before = pty.written().length
      pty.type(letter)
      await pty.until(() => pty.written().length > before)
    }
    await pty.shows("flooded")
    pty.type("\r")
    await pty.shows(`entered "${sentence}"`.slice(0, 30))
    const all = [...pty.screen.scrollback, ...pty.screen.lines]
    assert.deepStrictEqual(all.filter((row) => /^line \d+$/.test(row)), Array.from({ length: 1_000 }, (_, i) => `line ${i}`))
    pty.type("\u0004")
    await isRestored(pty, 0)
  })

  it("takes a paste of 10 kB as one line that is not entered (M11)", async () => {
    const pty = await open("echo")
    await pty.until((screen) => screen.bracketedPaste && screen.text.includes(">"))
    pty.type(`\u001b[200~${"0123456789abcde\n".repeat(640)}\u001b[201~`)
    await pty.until((screen) => screen.lines.at(-1)!.endsWith("↵"))
    assert.notInclude(pty.written(), "entered")
    pty.type("\u0015short\r")
    await pty.shows("entered \"short\"")
    pty.type("\u0003")
    await isRestored(pty, 0)
  })

  it("follows the size of the window, down to 1×1 and back (M11)", async () => {
    const pty = await open("echo")
    await pty.shows(">")
    pty.type("the first line\rtyped")
    await pty.shows("> typed")
    for (const [rows, columns] of [[4, 20], [1, 1], [2, 3], [10, 60]] as const) {
      const before = pty.written().length
      pty.resize(rows, columns)
      await pty.until(() => pty.written().length > before, "drawing the new window")
    }
    await pty.shows("> typed")
    assert.deepStrictEqual(pty.screen.lines.slice(-2), ["entered \"the first line\"", "> typed"])
    pty.type("\r")
    await pty.shows("entered \"typed\"")
    pty.type("\u0004")
    await isRestored(pty, 0)
  })

  it("draws everything anew with Ctrl-L", async () => {
    const pty = await open("echo")
    await pty.shows(">")
    pty.type("one\rtwo")
    await pty.until((screen) => screen.lines.at(-1) === "> two" && screen.text.includes("entered"))
    const lines = [...pty.screen.lines]
    pty.screen.write("\u001b[1;1Hsomebody else has written here")
    pty.type("\f")
    await pty.until((screen) => !screen.text.includes("somebody else"))
    assert.deepStrictEqual(pty.screen.lines, lines)
    pty.type("\u0003")
    await isRestored(pty, 0)
  })

  it("obeys no escape sequence that is printed (M11)", async () => {
    const pty = await open("evil")
    await pty.shows("␛[2J␛[31mred␇")
    assert.strictEqual(pty.screen.bells, 0)
    pty.type("\u0004")
    await isRestored(pty, 0)
  })

  it("has colours, unless NO_COLOR says otherwise", async () => {
    const coloured = await open("echo", { env: { NO_COLOR: "" } })
    const plain = await open("echo", { env: { NO_COLOR: "1" } })
    for (const pty of [coloured, plain]) {
      await pty.shows(">")
      pty.type("x\r")
      await pty.shows("entered \"x\"")
      pty.type("\u0004")
      await isRestored(pty, 0)
    }
    assert.include(coloured.written(), "\u001b[0;32m\"x\"")
    // oxlint-disable-next-line no-control-regex
    assert.notMatch(plain.written(), /\u001b\[[0-9;]*[1-9]m/)
  })

  it("is restored after Ctrl-D, Ctrl-C, a signal, two signals, a failure, an exception and an exit (M11)", async () => {
    const ways = [
      ["echo", ">", (pty: Pty) => pty.type("\u0004"), 0],
      ["echo", ">", (pty: Pty) => pty.type("\u0003"), 0],
      ["stops", "ready", (pty: Pty) => pty.signal("SIGTERM"), 0],
      ["stops", "ready", (pty: Pty) => pty.signal("SIGHUP"), 0],
      ["deaf", "ready", async (pty: Pty) => {
        pty.signal("SIGTERM")
        await pty.until(() => pty.written().includes("once more ends it"))
        pty.signal("SIGTERM")
      }, 143],
      ["dies", "ready", (pty: Pty) => pty.type("\r"), 1],
      ["throws", "ready", (pty: Pty) => pty.type("\r"), 1],
      ["exits", "ready", (pty: Pty) => pty.type("\r"), 7]
    ] as const
    await Promise.all(ways.map(async ([name, shows, leave, code]) => {
      const pty = await open(name)
      await pty.shows(shows)
      await leave(pty)
      await isRestored(pty, code)
    }))
  })

  it("prints the tree of an error below the messages, in a terminal that is restored", async () => {
    const pty = await open("dies", { columns: 100, rows: 20 })
    await pty.shows("ready")
    pty.type("\r")
    await isRestored(pty, 1)
    assert.include(pty.screen.text, "the program is broken")
  })

  it("is given to the shell by Ctrl-Z, and comes back as it was", async () => {
    const shell = await openPty(["bash", "--norc", "--noprofile", "-i"], { rows: 12, columns: 100, env: { HISTFILE: "" } })
    await shell.shows("bash-")
    shell.type("PS1=shell'$ '\r")
    await shell.until((screen) => screen.lines.includes("shell$"))
    shell.type(`${process.execPath} ${nodeArguments(file, ["echo"]).join(" ")}\r`)
    await shell.until((screen) => screen.bracketedPaste && screen.lines.at(-1) === ">", "the prompt of the program")
    shell.type("typed")
    await shell.shows("> typed")
    shell.type("\u001a")
    await shell.until((screen) => screen.text.includes("Stopped"), "the shell that tells of it")
    shell.type("fg\r")
    await shell.until((screen) => screen.lines.at(-1) === "> typed", "the line that was being typed")
    shell.type("!\r")
    await shell.shows("entered \"typed!\"")
    shell.type("\u0004")
    await shell.shows("the end")
    shell.type("exit\r")
    assert.strictEqual((await shell.left).code, 0)
  })

  it("with TERM=dumb works in lines, and writes no escape sequence", async () => {
    const pty = await open("echo", { env: { TERM: "dumb", NO_COLOR: "" } })
    pty.type("hello\r")
    await pty.shows("entered \"hello\"")
    assert.notInclude(pty.written(), "\u001b")
    pty.type("\u0004")
    assert.deepStrictEqual(await pty.left, { code: 0, restored: true })
  })
})

describe("no terminal", { timeout: 60_000 }, () => {
  it("means plain lines in and out, without colours", async () => {
    const child = spawn(process.execPath, nodeArguments(file, ["echo"]), { cwd: root, env: plainEnv({ NO_COLOR: "" }) })
    const watchdog = setTimeout(() => child.kill("SIGKILL"), 50_000)
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => output += text)
    child.stdin.end("one\r\ntwo \u001b[31m\n漢字")
    const code = await new Promise((resolve) => child.on("close", resolve))
    clearTimeout(watchdog)
    assert.strictEqual(output, "entered \"one\"\nentered \"two \\u001b[31m\"\nentered \"漢字\"\nthe end\n")
    assert.strictEqual(code, 0)
  })
})
