/** The client as a program: on a terminal, with its screen compared, and in a pipe. */
import { assert, describe, it } from "vitest"
import { nodeArguments, plainEnv, start } from "../../node/main/start.ts"
import { piped } from "../piped.ts"
import { openPty, type Pty, terminalWorks } from "../terminal/pty.ts"
import { ScriptedServer } from "./clientSupport.ts"

const file = "examples/chat/client.ts"

const onScreen = (port: number, args: ReadonlyArray<string> = [], size = { rows: 8, columns: 40 }): Promise<Pty> =>
  openPty([process.execPath, ...nodeArguments(file, ["--port", String(port), ...args])], size)

/** The screen, with `hh:mm` for the time. */
const shown = (pty: Pty): Array<string> => pty.screen.lines.map((row) => row.replace(/^\d\d:\d\d /, "hh:mm "))

const isRestored = async (pty: Pty, code: number) => {
  assert.deepStrictEqual(await pty.left, { code, restored: true })
  const { bracketedPaste, cursorVisible, unknown, wraps } = pty.screen
  assert.deepStrictEqual({ bracketedPaste, cursorVisible, unknown, wraps }, { bracketedPaste: false, cursorVisible: true, unknown: [], wraps: true })
}

/** A client on a screen that a scripted server has let in. */
const joined = async (args: ReadonlyArray<string> = [], size?: { readonly rows: number; readonly columns: number }) => {
  const server = await ScriptedServer.listen()
  const pty = await onScreen(server.port, ["--name", "alice", ...args], size)
  const guest = await (await server.guest).welcome("alice")
  await pty.until(({ lines }) => lines.at(-1) === "alice>")
  return { server, pty, guest }
}

describe.skipIf(!terminalWorks)("examples/chat/client.ts on a terminal", { timeout: 60_000 }, () => {
  it("asks for the name, scrolls messages above the input, and sends with Enter (S1-8.14)", async () => {
    const server = await ScriptedServer.listen()
    const pty = await onScreen(server.port)
    await pty.shows("your name:")
    pty.type("alice\r")
    const guest = await (await server.guest).welcome("alice")
    await pty.shows("alice connected!")
    await pty.until(({ lines }) => lines.at(-1) === "alice>")
    pty.type("hel")
    guest.say("SEQ 2 bob connected!\nSEQ 3 bob: hi, 漢字 and 👍\n")
    // What the program writes at once may come in pieces.
    await pty.until(({ lines }) => lines.at(-1) === "alice> hel" && lines.some((row) => row.includes("bob: hi")))
    assert.deepStrictEqual(shown(pty).slice(-5), [
      "hh:mm Welcome! 1 user(s) are online!",
      "hh:mm alice connected!",
      "hh:mm bob connected!",
      "hh:mm bob: hi, 漢字 and 👍",
      "alice> hel"
    ])
    pty.type("lo\r")
    await guest.accept("hello", "alice", 4)
    await pty.until(({ lines }) => lines.at(-1) === "alice>" && lines.at(-2)!.endsWith("✓"))
    assert.deepStrictEqual(shown(pty).slice(-2), ["hh:mm alice: hello ✓", "alice>"])
    pty.type("\u0004")
    await guest.hears("/quit")
    await isRestored(pty, 0)
    await server.stop()
  })

  it("shows what is on its way, what was delivered, and what has failed (EX2)", async () => {
    const { guest, pty, server } = await joined()
    pty.type("one\rtwo\r")
    await pty.until(({ lines }) => lines.slice(-3).join("|") === "… one|○ two|alice>")
    await guest.accept("one", "alice", 2)
    await pty.until(({ lines }) => lines.slice(-2).join("|") === "… two|alice>")
    const id = (await guest.hears(/^MSG \S+ two$/)).split(" ")[1]!
    guest.say(`NAK ${id} too-long no more than 2 characters\n`)
    await pty.shows("✗ not delivered: two")
    pty.type("\u0003")
    await isRestored(pty, 130)
    await server.stop()
  })

  it("keeps every typed character while a thousand lines come (M12)", async () => {
    const { guest, pty, server } = await joined([], { rows: 10, columns: 60 })
    const sentence = "the quick brown fox, 漢字, jumps"
    for (let i = 0; i < 1_000; i++) {
      guest.say(`SEQ ${i + 2} bob: line ${i}\n`)
      const letter = Array.from(sentence)[i / 20]
      if (letter !== undefined) {
        const before = pty.written().length
        pty.type(letter)
        await pty.until(() => pty.written().length > before)
      }
    }
    await pty.until(({ lines }) => lines.at(-1) === `alice> ${sentence}` && lines.at(-2)!.endsWith("line 999"))
    const lines = [...pty.screen.scrollback, ...pty.screen.lines].flatMap((row) => /bob: (line \d+)$/.exec(row)?.[1] ?? [])
    assert.deepStrictEqual(lines, Array.from({ length: 1_000 }, (_, i) => `line ${i}`))
    pty.type("\r")
    await guest.accept(sentence, "alice", 2_000)
    await pty.shows(`${sentence} ✓`)
    pty.type("\u0003")
    await isRestored(pty, 130)
    await server.stop()
  })

  it("stands a line of a megabyte, escape sequences, a window of 1×1, a resize and a paste of 10 kB (M11)", async () => {
    const { guest, pty, server } = await joined()
    guest.say(`${"x".repeat(1_000_000)}\nSEQ 2 eve: \u001b[2J\u001b[1;1H\u001b]0;owned\u0007\u009b31m\u202e!\n`)
    await pty.shows("␛[2J␛[1;1H␛]0;owned␇")
    await pty.shows("a line was left out")
    assert.deepStrictEqual(pty.screen.unknown, [])
    const resized = async (rows: number, columns: number) => {
      const before = pty.written().length
      pty.resize(rows, columns)
      await pty.until(() => pty.written().length > before, "drawing the new window")
    }
    await resized(1, 1)
    guest.say("SEQ 3 bob: in a small window\n")
    pty.type("typed in it")
    await resized(8, 60)
    await pty.until(({ lines }) => lines.at(-1) === "alice> typed in it" && lines.at(-2)!.endsWith("bob: in a small window"))
    pty.type(`\u0015\u001b[200~${"0123456789abcde\n".repeat(640)}\u001b[201~\r`)
    const message = await guest.hears(/^MSG /)
    assert.strictEqual(message.split(" ").slice(2).join(" "), "0123456789abcde ".repeat(640))
    pty.type("\u0003")
    await isRestored(pty, 130)
    await server.stop()
  })

  it("restores the terminal and ends with 1 when the server is lost for good (M11, B27)", async () => {
    const { pty, server } = await joined(["--give-up", "500ms"])
    pty.type("half a line")
    await pty.shows("half a line")
    await server.stop()
    await isRestored(pty, 1)
    assert.include(pty.screen.text, "the server is lost")
    assert.notInclude(pty.screen.text, "half a line")
  })

  it("comes back when the server does, with the line that is being typed (B20)", async () => {
    const { pty, server } = await joined()
    pty.type("half a line")
    await pty.shows("half a line")
    const { port } = server
    await server.stop()
    await pty.shows("no connection")
    const again = await ScriptedServer.listen(port)
    const guest = await again.guest
    await guest.hears("CAPS ack resume history")
    guest.say("CAPS ack resume history\n")
    await guest.hears("RESUME t1 1")
    guest.say("RESUMED alice\nSEQ 2 bob: you missed this\n")
    await pty.until(({ lines }) => lines.at(-1) === "alice> half a line" && lines.at(-2)!.endsWith("bob: you missed this"))
    pty.type("!\r")
    await guest.accept("half a line!", "alice", 3)
    await pty.shows("half a line! ✓")
    pty.type("\u0003")
    await isRestored(pty, 130)
    await again.stop()
  })

  it("says in a window of 60 columns why there is no connection (bug: the reason was cut off)", async () => {
    const { pty, server } = await joined([], { rows: 8, columns: 60 })
    await server.stop()
    await pty.until(({ lines }) => lines.at(-2) === "no connection: refused, trying again")
    pty.type("\u0003")
    await isRestored(pty, 130)
  })

  it("asks for another name when the server refuses the first", async () => {
    const server = await ScriptedServer.listen()
    const pty = await onScreen(server.port, ["--name", "bob"])
    const first = await server.guest
    await first.hears("CAPS ack resume history")
    first.say("CAPS\n")
    await first.hears("CONNECT bob")
    first.say("ERR name-taken bob is here already\n")
    await pty.shows("!! bob is here already")
    await pty.shows("your name:")
    pty.type("rob\r")
    await (await server.guest).welcome("rob")
    await pty.until(({ lines }) => lines.at(-1) === "rob>")
    pty.type("\u0004")
    await isRestored(pty, 0)
    await server.stop()
  })

  it("ends when the server removes the user for being idle, and does not come back", async () => {
    const { guest, pty, server } = await joined()
    guest.say("ERR idle nothing said within 60s\n").socket.end()
    await isRestored(pty, 1)
    assert.include(pty.screen.text, "the server has ended it: nothing")
    await server.stop()
  })

  it("ends with 143 on SIGTERM, and with 129 when the terminal is closed", async () => {
    for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      const { guest, pty, server } = await joined()
      pty.signal(signal)
      await guest.hears("/quit")
      await isRestored(pty, code)
      await server.stop()
    }
  })

  it("two of them talk over the real server, as the book shows it", async () => {
    const server = start("examples/chat/server.ts", ["--port", "0"])
    await server.prints(/listens on [\d.]+:\d+\n/)
    const port = Number(/:(\d+)\n/.exec(server.stdout())![1])
    const first = await onScreen(port, ["--name", "MissIslington"])
    await first.shows("MissIslington connected!")
    const second = await onScreen(port, ["--name", "SirBedevere"])
    for (const pty of [first, second]) await pty.shows("SirBedevere connected!")
    second.type("Is that your nose?\r")
    await first.shows("SirBedevere: Is that your nose?")
    first.type("No, it's a false one!\r")
    for (const pty of [first, second]) await pty.shows("MissIslington: No, it's a false")
    await first.until(({ text }) => text.includes("one! ✓"))
    assert.deepStrictEqual(shown(first).filter((row) => row !== ""), [
      "hh:mm Welcome! 1 user(s) are online!",
      "hh:mm MissIslington connected!",
      "hh:mm SirBedevere connected!",
      "hh:mm SirBedevere: Is that your nose?",
      "hh:mm MissIslington: No, it's a false",
      "one! ✓",
      "MissIslington>"
    ])
    second.type("/quit\r")
    await first.shows("SirBedevere has left the chat")
    await isRestored(second, 0)
    first.type("\u0004")
    await isRestored(first, 0)
    server.kill("SIGTERM")
    await server.ended
  })
})

/** Runs the client with this as its input. */
const inPipe = (port: number, input: string, args: ReadonlyArray<string>) =>
  piped(file, ["--port", String(port), ...args], input, { env: plainEnv({ NO_COLOR: "" }) })

describe("examples/chat/client.ts in a pipe", { timeout: 60_000 }, () => {
  it("sends its input, waits until it is delivered, prints what it heard, and ends with 0 (B32)", async () => {
    const server = await ScriptedServer.listen()
    const client = inPipe(server.port, "hi\n漢字\n", ["--name", "bob"])
    const guest = await (await server.guest).welcome("bob")
    await guest.accept("hi", "bob", 2)
    await guest.accept("漢字", "bob", 3)
    await guest.hears("/quit")
    guest.socket.end()
    assert.deepStrictEqual(await client, { code: 0, stdout: "Welcome! 1 user(s) are online!\nbob connected!\nbob: hi\nbob: 漢字\n", stderr: "" })
    await server.stop()
  })

  it("ends with 0 when a command was refused, and with 1 when a message was", async () => {
    const server = await ScriptedServer.listen()
    for (const [input, code, says] of [["/wat", 0, "it makes no sense\n"], ["/msg rob hi", 1, "not delivered: /msg rob hi (it makes no sense)\n"]] as const) {
      const client = inPipe(server.port, `${input}\n`, ["--name", "bob"])
      const guest = await (await server.guest).welcome("bob")
      const id = (await guest.hears(/^MSG /)).split(" ")[1]!
      guest.say(`NAK ${id} refused it makes no sense\n`)
      await guest.hears("/quit")
      guest.socket.end()
      const ended = await client
      assert.deepStrictEqual([ended.code, ended.stderr], [code, says])
    }
    await server.stop()
  })

  it("speaks with a server that has never heard of CAPS (B29)", async () => {
    const server = await ScriptedServer.listen()
    const client = inPipe(server.port, "hi\n", ["--name", "bob"])
    const first = await server.guest
    await first.hears("CAPS ack resume history")
    first.socket.end()
    const guest = await server.guest
    await guest.hears("CONNECT bob")
    guest.say("Welcome! 1 user(s) are online!\r\nbob connected!\r\n")
    await guest.hears("hi")
    guest.say("bob: hi\r\n")
    await guest.ended
    guest.socket.end()
    assert.deepStrictEqual(await client, { code: 0, stdout: "Welcome! 1 user(s) are online!\nbob connected!\nbob: hi\n", stderr: "" })
    await server.stop()
  })

  it("ends with 1 and one line on standard error when it is refused, removed, or nobody is there", async () => {
    const server = await ScriptedServer.listen()
    const refused = inPipe(server.port, "hi\n", ["--name", "bob"])
    const guest = await server.guest
    await guest.hears("CAPS ack resume history")
    guest.say("CAPS ack\n")
    await guest.hears("CONNECT bob")
    guest.say("ERR name-taken bob is here already\n").socket.end()
    const { code, stderr } = await refused
    assert.deepStrictEqual([code, stderr], [1, "not delivered: hi (the conversation is over)\nthe server has refused: bob is here already\n"])
    const removed = inPipe(server.port, "hi\n", ["--name", "bob"])
    const other = await (await server.guest).welcome("bob")
    await other.hears(/^MSG \S+ hi$/)
    other.say("ERR shutdown the server is going down\n").socket.end()
    const end = await removed
    assert.deepStrictEqual([end.code, end.stderr], [1, "not delivered: hi (the conversation is over)\nthe server has ended it: the server is going down\n"])
    await server.stop()
    const nobody = await inPipe(server.port, "", ["--name", "bob"])
    assert.deepStrictEqual([nobody.code, nobody.stdout], [1, ""])
    assert.match(nobody.stderr, /^cannot reach the server: .*ECONNREFUSED.*\n$/)
  })

  it("ends with 2 on an option that makes no sense, or when nobody can be asked for a name", async () => {
    for (const [args, says] of [
      [["--name", "a b"], /^--name takes one word/],
      [["--port", "99999", "--name", "x"], /^--port takes/],
      [[], /^nobody can be asked for a name here/]
    ] as const) {
      const { code, stderr, stdout } = await inPipe(1, "", args)
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, says)
      assert.lengthOf(stderr.trimEnd().split("\n"), 1)
    }
  })

  it("tells with --help what it takes, and its exit codes", async () => {
    const { code, stdout } = await inPipe(1, "", ["--help"])
    assert.strictEqual(code, 0)
    for (const words of ["Usage: npm run example -- examples/chat/client.ts", "--host HOST", "--port PORT", "--name NAME", "--give-up TIME", "Exit codes"]) {
      assert.include(stdout, words)
    }
  })
})
