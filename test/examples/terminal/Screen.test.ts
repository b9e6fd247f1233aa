import { assert, describe, it } from "vitest"
import { press } from "../../../examples/terminal/Editor.ts"
import { KeyDecoder } from "../../../examples/terminal/Keys.ts"
import { line } from "../../../examples/terminal/Line.ts"
import * as Screen from "../../../examples/terminal/Screen.ts"
import { VirtualScreen } from "./VirtualScreen.ts"

/** The model and a terminal that it writes to. */
class Session {
  screen: Screen.Screen
  readonly terminal: VirtualScreen
  written = 0
  private readonly decoder = new KeyDecoder()

  constructor(rows: number, columns: number, prompt = "> ") {
    this.terminal = new VirtualScreen(rows, columns)
    this.screen = Screen.setPrompt(Screen.makeScreen({ rows, columns }, true), line(prompt))
    this.paint()
  }

  change(f: (screen: Screen.Screen) => Screen.Screen): this {
    this.screen = f(this.screen)
    return this
  }

  paint(): this {
    const [next, bytes] = Screen.paint(this.screen)
    this.screen = next
    if (bytes !== "") this.written++
    this.terminal.write(bytes)
    assert.deepStrictEqual(this.terminal.unknown, [])
    assert.deepStrictEqual([this.terminal.wraps, this.terminal.cursorVisible], [true, true])
    return this
  }

  says(...lines: ReadonlyArray<string>): this {
    return this.change((screen) => Screen.addMessages(screen, lines.map((text) => line(text)))).paint()
  }

  notes(...lines: ReadonlyArray<string>): this {
    return this.change((screen) => Screen.setNotes(screen, lines.map((text) => line(text)))).paint()
  }

  types(keys: string): this {
    for (const key of this.decoder.push(new TextEncoder().encode(keys))) {
      this.change((screen) => Screen.setEditor(screen, press(screen.editor, key).editor)).paint()
    }
    return this
  }

  resizes(rows: number, columns: number): this {
    this.terminal.resize(rows, columns)
    return this.change((screen) => Screen.resize(screen, { rows, columns })).paint()
  }

  get cursor(): readonly [row: number, column: number] {
    return [this.terminal.row, this.terminal.column]
  }

  get shows(): Array<string> {
    return this.terminal.lines
  }
}

describe("terminal/Screen", () => {
  it("keeps the input at the bottom while messages scroll above it (B27, S1-8.7)", () => {
    const session = new Session(4, 20)
    assert.deepStrictEqual(session.shows, ["", "", "", ">"])
    session.types("hel").says("bob: one")
    assert.deepStrictEqual(session.shows, ["", "", "bob: one", "> hel"])
    session.says("bob: two", "bob: three", "bob: four").types("lo")
    assert.deepStrictEqual(session.shows, ["bob: two", "bob: three", "bob: four", "> hello"])
    assert.deepStrictEqual(session.cursor, [3, 7])
    // What has left the window, the terminal keeps.
    assert.strictEqual(session.terminal.scrollback.at(-1), "bob: one")
  })

  it("writes the bytes that it is meant to write (S1-8.7)", () => {
    const screen = Screen.setPrompt(Screen.makeScreen({ rows: 4, columns: 20 }, true), line("> ", "green"))
    const [first] = Screen.paint(screen)
    const [, bytes] = Screen.paint(Screen.addMessages(first, [line("hi")]))
    assert.strictEqual(
      bytes,
      "\u001b[?25l\u001b[?7l" + "\u001b[4;1H" + "\u001b[J" + "hi\r\n" + "\u001b[0;32m> \u001b[0m" + "\u001b[4;3H" + "\u001b[?7h\u001b[?25h"
    )
  })

  it("redraws once for each append, however many messages it brings (S1-8.9), and not at all when nothing has changed", () => {
    const session = new Session(4, 20)
    const before = session.written
    session.says(...Array.from({ length: 100 }, (_, i) => `line ${i}`))
    assert.strictEqual(session.written - before, 1)
    session.paint().paint()
    assert.strictEqual(session.written - before, 1)
    assert.deepStrictEqual(session.shows, ["line 97", "line 98", "line 99", ">"])
  })

  it("loses no character of 1,000 lines that come while somebody types (M12)", () => {
    const session = new Session(10, 40)
    const sentence = "the quick brown fox 漢字 jumps"
    const letters = Array.from(sentence)
    for (let i = 0; i < 1_000; i++) {
      session.says(`bob: line ${i}`)
      const letter = letters.shift()
      if (letter !== undefined) session.types(letter)
    }
    assert.strictEqual(session.shows.at(-1), `> ${sentence}`)
    const all = [...session.terminal.scrollback, ...session.shows].filter((row) => row.startsWith("bob"))
    assert.deepStrictEqual(all, Array.from({ length: 1_000 }, (_, i) => `bob: line ${i}`))
  })

  it("shows an input that is longer than the window in several rows, around the cursor", () => {
    const session = new Session(6, 10)
    session.types("abcdefghijklmnopqrstuvwxyz")
    assert.deepStrictEqual(session.shows, ["", "", "", "> abcdefgh", "ijklmnopqr", "stuvwxyz"])
    session.types("0123456789")
    assert.deepStrictEqual(session.shows.slice(3), ["ijklmnopqr", "stuvwxyz01", "23456789"])
    session.types("\u0001")
    assert.deepStrictEqual(session.shows.slice(3), ["> abcdefgh", "ijklmnopqr", "stuvwxyz01"])
    assert.deepStrictEqual(session.cursor, [3, 2])
    // Exactly full: the cursor stands where the next character will be.
    session.types("\u0015\u000b").types("12345678")
    assert.deepStrictEqual(session.shows.slice(4), ["> 12345678", ""])
    assert.deepStrictEqual(session.cursor, [5, 0])
  })

  it("fills the rows that a long input has left with the next messages, and scrolls nothing back", () => {
    const session = new Session(6, 10)
    session.says("one").types("abcdefghijklmno")
    assert.deepStrictEqual(session.shows, ["", "", "", "one", "> abcdefgh", "ijklmno"])
    session.types("\u0015")
    assert.deepStrictEqual(session.shows, ["", "", "", "one", "", ">"])
    session.says("two")
    assert.deepStrictEqual(session.shows, ["", "", "", "one", "two", ">"])
    session.says("three")
    assert.deepStrictEqual(session.shows, ["", "", "one", "two", "three", ">"])
  })

  it("puts notes between the messages and the input", () => {
    const session = new Session(5, 20).says("one").types("hi").notes("… on its way", "… and another")
    assert.deepStrictEqual(session.shows, ["", "one", "… on its way", "… and another", "> hi"])
    session.change((screen) => Screen.setNotes(screen, [])).says("two", "three")
    assert.deepStrictEqual(session.shows, ["", "one", "two", "three", "> hi"])
  })

  it("wraps long messages, wide characters too", () => {
    const session = new Session(6, 10).says("bob: 漢字漢字漢字漢字 end")
    assert.deepStrictEqual(session.shows, ["", "", "bob:", "漢字漢字漢", "字漢字 end", ">"])
  })

  it("puts the cursor behind wide characters and emoji", () => {
    const session = new Session(3, 20).types("漢👍e\u0301")
    assert.deepStrictEqual(session.cursor, [2, 7])
    session.types("\u001b[D\u001b[D")
    assert.deepStrictEqual(session.cursor, [2, 4])
  })

  it("shows a pasted line break as ↵", () => {
    assert.strictEqual(new Session(3, 40).types("\u001b[200~select 1\r\nunion\r\u001b[201~").shows.at(-1), "> select 1↵union↵")
  })

  it("stands a paste of 10 kB, and shows its end (M11)", () => {
    const session = new Session(6, 20).says("one").types(`\u001b[200~${"0123456789".repeat(1024)}!\u001b[201~`)
    assert.strictEqual(session.shows[5], `${"0123456789".repeat(2).slice(2)}!`.slice(-3).padStart(3))
    assert.strictEqual(session.shows[3]!.length, 20)
  })

  it("draws everything anew after a resize, with other breaks", () => {
    const session = new Session(4, 20).says("the quick brown fox jumps", "two").types("input")
    session.resizes(8, 12)
    assert.deepStrictEqual(session.shows, ["", "", "", "the quick", "brown fox", "jumps", "two", "> input"])
    session.resizes(2, 40)
    assert.deepStrictEqual(session.shows, ["two", "> input"])
    session.says("three").types("!")
    assert.deepStrictEqual(session.shows, ["three", "> input!"])
  })

  it("shows messages that come together with a resize", () => {
    const session = new Session(4, 20).says("one")
    session.terminal.resize(5, 30)
    session.change((screen) => Screen.addMessages(Screen.resize(screen, { rows: 5, columns: 30 }), [line("two")])).paint()
    assert.deepStrictEqual(session.shows, ["", "", "one", "two", ">"])
  })

  it("works in a window of 1×1, and comes back from it (M11)", () => {
    const session = new Session(1, 1).types("ab漢").says("a message 漢").notes("a note")
    assert.lengthOf(session.shows, 1)
    assert.deepStrictEqual(session.cursor, [0, 0])
    session.types("\u001b[D")
    assert.deepStrictEqual(session.shows, ["?"])
    session.types("\u0001")
    assert.deepStrictEqual(session.shows, ["a"])
    session.resizes(4, 20)
    assert.deepStrictEqual(session.shows, ["", "a message 漢", "a note", "> ab漢"])
  })

  it("works in every small window with all that it has to show", () => {
    for (let rows = 1; rows < 7; rows++) {
      for (let columns = 1; columns < 9; columns++) {
        const session = new Session(rows, columns).types("typed 漢字 text").notes("n1", "n2", "n3").says("message 漢", "x").types("\u0001é").says("y")
        assert.lengthOf(session.shows, rows)
        assert.isTrue(session.terminal.row < rows && session.terminal.column < columns)
        session.notes().types("\u0005\u0015ok").says("z")
        if (columns > 5 && rows > 1) assert.strictEqual(session.shows.at(-1), "> ok")
      }
    }
  })

  it("obeys no escape sequence of a message, a note or a prompt (M11)", () => {
    const evil = "\u001b[2J\u001b[H\u001b]0;owned\u0007\u001b[?1049h\r\n\u009b31m"
    const session = new Session(5, 60, evil).says("kept", evil).notes(evil)
    assert.deepStrictEqual(session.terminal.unknown, [])
    assert.include(session.terminal.text, "kept")
    assert.include(session.terminal.text, "␛[2J␛[H␛]0;owned␇")
  })

  it("leaves the messages behind, and nothing of the footer", () => {
    const session = new Session(5, 20).says("one").notes("note").types("typed").change((screen) => Screen.addMessages(screen, [line("last words")]))
    session.terminal.write(Screen.leave(session.screen))
    assert.deepStrictEqual(session.shows, ["", "one", "last words", "", ""])
    assert.deepStrictEqual(session.cursor, [3, 0])
  })

  it("takes 24 by 80 where the terminal does not know its size", () => {
    assert.deepStrictEqual(Screen.makeScreen({ rows: 0, columns: 0 }, false).size, { rows: 24, columns: 80 })
  })
})
