import { assert, describe, it } from "vitest"
import { clustersOf, columnsOf, cutTo, padTo, widthOf } from "../../../examples/terminal/Clusters.ts"
import { type Editor, emptyEditor, mostClusters, type Outcome, press, textIn } from "../../../examples/terminal/Editor.ts"
import { harmless } from "../../../examples/terminal/Harmless.ts"
import { type Key, KeyDecoder } from "../../../examples/terminal/Keys.ts"
import { cutRow, line, wrap, written, writtenPlain } from "../../../examples/terminal/Line.ts"
import { append, emptyStore } from "../../../examples/terminal/MessageStore.ts"

const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"
const utf8 = new TextEncoder()

describe("terminal/Clusters", () => {
  it("counts the columns of what people type: letters, marks, CJK, emoji, flags, Hangul", () => {
    for (const [text, columns] of [
      ["abc", 3],
      ["e\u0301", 1],
      ["漢字", 4],
      ["한국", 4],
      ["\u1112\u1161\u11ab", 2],
      ["ｆｕｌｌ", 8],
      ["👍", 2],
      ["👍🏽", 2],
      [family, 2],
      ["🇫🇷🇩🇪", 4],
      ["❤️", 2],
      ["→ü", 2],
      ["\u200b", 0]
    ] as const) assert.strictEqual(columnsOf(text), columns, text)
  })

  it("keeps what belongs together together, and loses nothing", () => {
    assert.deepStrictEqual(clustersOf(`a${family}e\u0301\u{1f1eb}\u{1f1f7}`), ["a", family, "e\u0301", "\u{1f1eb}\u{1f1f7}"])
    assert.strictEqual(widthOf("漢"), 2)
  })

  it("cuts and pads by columns, not by characters", () => {
    assert.strictEqual(cutTo("漢字漢字", 5), "漢字…")
    assert.strictEqual(cutTo("漢字漢字", 4), "漢…")
    assert.strictEqual(cutTo("漢字", 4), "漢字")
    assert.strictEqual(cutTo("abc", 0), "")
    assert.strictEqual(padTo("漢", 4), "漢  ")
    assert.strictEqual(padTo("7", 3, "right"), "  7")
  })
})

describe("terminal/Harmless", () => {
  it("shows what would steer the terminal instead of obeying it (M11)", () => {
    assert.strictEqual(harmless("\u001b[2J\u001b]0;title\u0007"), "␛[2J␛]0;title␇")
    assert.strictEqual(harmless("a\r\nb\tc\u007f"), "a␍␊b    c␡")
    assert.strictEqual(harmless("\u009b2J"), "\ufffd2J")
    assert.strictEqual(harmless("user\u202etxt.exe"), "user\ufffdtxt.exe")
    assert.strictEqual(harmless("half \ud83d emoji 👍"), "half \ufffd emoji 👍")
    assert.strictEqual(harmless("\u0301x"), "\u25cc\u0301x")
    assert.strictEqual(harmless(`Z${"\u0335".repeat(100)}`), `Z${"\u0335".repeat(6)}`)
  })

  it("leaves what people write alone", () => {
    for (const text of ["plain", "naïve café", "漢字かな交じり", `${family} 👍🏽 🇫🇷`, "שלום عالم", "e\u0301"]) assert.strictEqual(harmless(text), text)
  })

  it("lets no byte of any control character through", () => {
    const all = Array.from({ length: 0xa0 }, (_, i) => String.fromCharCode(i)).join("")
    // eslint-disable-next-line no-control-regex
    assert.notMatch(harmless(all), /[\x00-\x1f\x7f-\x9f]/)
  })
})

describe("terminal/Line", () => {
  const rows = (text: string, columns: number) => wrap(line(text), columns).map((row) => written(row, false))

  it("breaks a long message between words, and a long word anywhere", () => {
    assert.deepStrictEqual(rows("the quick brown fox", 10), ["the quick", "brown fox"])
    assert.deepStrictEqual(rows("abcdefgh ij", 5), ["abcde", "fgh", "ij"])
    assert.deepStrictEqual(rows("漢字漢字", 5), ["漢字", "漢字"])
    assert.deepStrictEqual(rows("", 5), [""])
  })

  it("never makes a row that is wider than the window, whatever the window", () => {
    for (const text of ["the quick brown fox", "漢字 and 👍👍👍", family.repeat(5), "a\u001b[31mb"]) {
      for (let columns = 1; columns < 12; columns++) {
        for (const row of wrap(line(text), columns)) assert.isAtMost(row.reduce((sum, { width }) => sum + width, 0), columns)
      }
    }
  })

  it("shows a character that is wider than the window as a question mark", () => {
    assert.deepStrictEqual(rows("a漢", 1), ["a", "?"])
  })

  it("writes styles as colours, or not at all, and makes both harmless", () => {
    const warning = [{ text: "bob", style: "red" as const }, { text: ": \u001b[0m" }]
    assert.strictEqual(writtenPlain(warning, true), "\u001b[0;31mbob\u001b[0m: ␛[0m")
    assert.strictEqual(writtenPlain(warning, false), "bob: ␛[0m")
  })

  it("cuts a row by columns", () => {
    assert.strictEqual(written(cutRow(line("漢字漢字"), 5), false), "漢字…")
    assert.strictEqual(written(cutRow(line("abc"), 3), false), "abc")
    assert.strictEqual(written(cutRow(line("abcd"), 1), false), "…")
  })
})

describe("terminal/MessageStore", () => {
  it("keeps the last n, oldest first (S1-8.9)", () => {
    let store = emptyStore(3)
    for (const text of ["a", "b", "c", "d"]) store = append(store, [line(text)])
    assert.deepStrictEqual(store.lines, [line("b"), line("c"), line("d")])
    assert.lengthOf(append(store, Array.from({ length: 10 }, (_, i) => line(String(i)))).lines, 3)
    assert.strictEqual(append(store, []), store)
  })
})

const text = (text: string): Key => ({ _tag: "Text", text })
const pressed = (name: string): Key => ({ _tag: "Press", name })

describe("terminal/Keys", () => {
  const keysOf = (input: string) => new KeyDecoder().push(utf8.encode(input))

  it("knows the keys that terminals send, each in its ways", () => {
    for (const [name, sequences] of Object.entries({
      up: ["\u001b[A", "\u001bOA"],
      left: ["\u001b[D", "\u001bOD"],
      home: ["\u001b[H", "\u001bOH", "\u001b[1~", "\u001b[7~"],
      end: ["\u001b[F", "\u001bOF", "\u001b[4~", "\u001b[8~"],
      delete: ["\u001b[3~"],
      "ctrl-left": ["\u001b[1;5D"],
      "alt-right": ["\u001b[1;3C"],
      "alt-b": ["\u001bb"],
      "alt-backspace": ["\u001b\u007f"],
      backspace: ["\u007f", "\b"],
      enter: ["\r", "\n"],
      "ctrl-a": ["\u0001"],
      "ctrl-c": ["\u0003"],
      unknown: ["\u001b[99~", "\u001b[200;1Z", "\u001b[ q"]
    })) for (const sequence of sequences) assert.deepStrictEqual(keysOf(sequence), [pressed(name)], JSON.stringify(sequence))
  })

  it("gives the same keys wherever the bytes are cut", () => {
    const bytes = utf8.encode(`hé漢👍\u001b[A\u001b[1;5D\u007f\u001b[200~two\rlines\r\nand\nmore\u001b[201~\u0003`)
    const expected: ReadonlyArray<Key> = [
      text("hé漢👍"),
      pressed("up"),
      pressed("ctrl-left"),
      pressed("backspace"),
      { _tag: "Paste", text: "two\nlines\nand\nmore" },
      pressed("ctrl-c")
    ]
    const joined = (keys: ReadonlyArray<Key>) =>
      keys.reduce<Array<Key>>((all, key) => {
        const last = all.at(-1)
        if (key._tag === "Text" && last?._tag === "Text") all[all.length - 1] = text(last.text + key.text)
        else all.push(key)
        return all
      }, [])
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = new KeyDecoder()
      assert.deepStrictEqual(joined([...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))]), expected, `cut at ${cut}`)
    }
    const decoder = new KeyDecoder()
    assert.deepStrictEqual(joined(Array.from(bytes, (byte) => decoder.push(Uint8Array.of(byte))).flat()), expected)
  })

  it("sees Ctrl-C after a lone Escape, and in a paste that does not end", () => {
    assert.deepStrictEqual(keysOf("\u001b\u0003"), [pressed("escape"), pressed("ctrl-c")])
    assert.deepStrictEqual(keysOf("\u001b[200~pasted\u0003x"), [pressed("ctrl-c"), text("x")])
  })

  it("gives up on a sequence that does not end, and goes on", () => {
    const keys = keysOf(`\u001b[${"1;".repeat(100)}x\u0003`)
    assert.deepInclude(keys, pressed("ctrl-c"))
  })
})

describe("terminal/Editor", () => {
  const run = (keys: ReadonlyArray<Key>, editor: Editor = emptyEditor) => {
    const outcomes: Array<Outcome> = []
    for (const key of keys) {
      const edited = press(editor, key)
      editor = edited.editor
      if (edited.outcome !== undefined) outcomes.push(edited.outcome)
    }
    return { editor, outcomes, shown: `${editor.clusters.slice(0, editor.cursor).join("")}|${editor.clusters.slice(editor.cursor).join("")}` }
  }
  const typed = (input: string) => run(new KeyDecoder().push(utf8.encode(input)))

  it("ab⌫c⏎ enters \"ac\" (S1-8.8)", () => {
    assert.deepStrictEqual(typed("ab\u007fc\r").outcomes, [{ _tag: "Entered", text: "ac" }])
  })

  it("takes wide characters, emoji and marks as one key of backspace each (S1-8.8)", () => {
    assert.strictEqual(typed(`a漢\u007f`).shown, "a|")
    assert.strictEqual(typed(`a${family}\u007f`).shown, "a|")
    assert.strictEqual(typed(`ae\u0301\u007f`).shown, "a|")
    assert.strictEqual(typed(`\u{1f1eb}\u{1f1f7}\u007f`).shown, "|")
  })

  it("joins a mark that comes later to its letter", () => {
    assert.strictEqual(run([text("e"), text("\u0301"), pressed("backspace")]).shown, "|")
    assert.strictEqual(run([text("ex"), pressed("left"), text("\u0301"), pressed("left")]).shown, "|e\u0301x")
  })

  it("moves and deletes as shells do", () => {
    for (const [input, shown] of [
      ["hello\u001b[D\u001b[DX", "helX|lo"],
      ["hello\u0001X", "X|hello"],
      ["hello\u0001\u0005X", "helloX|"],
      ["hello\u001b[HX\u001b[F!", "Xhello!|"],
      ["hello\u0001\u001b[3~", "|ello"],
      ["hello\u0001\u0004", "|ello"],
      ["one two three\u0017", "one two |"],
      ["one two-x \u0017", "one |"],
      ["one two-x\u001b\u007f", "one two-|"],
      ["one two\u001bb\u001bb\u001bd", "| two"],
      ["one two\u001b[1;5D\u000b", "one |"],
      ["one two\u001b[1;5D\u0015", "|two"],
      ["one two\u0017\u0001\u0019", "two|one "],
      ["one two\u0001\u001bf!", "one!| two"],
      ["ab\u0014", "ba|"],
      ["ab\u001b[C\u001b[C\u001b[D\u001b[D\u001b[D", "|ab"]
    ] as const) assert.strictEqual(typed(input).shown, shown, JSON.stringify(input))
  })

  it("goes up and down in what was entered, and comes back to what was being typed", () => {
    assert.strictEqual(typed("one\rtwo\rthr\u001b[A").shown, "two|")
    assert.strictEqual(typed("one\rtwo\rthr\u001b[A\u001b[A\u001b[A").shown, "one|")
    assert.strictEqual(typed("one\rtwo\rthr\u001b[A\u001b[A\u001b[B\u001b[B").shown, "thr|")
    assert.strictEqual(typed("one\rone\r\r \r\u001b[A\u001b[A").shown, "one|")
    assert.deepStrictEqual(typed("one\r\u001b[A!\r").outcomes.at(-1), { _tag: "Entered", text: "one!" })
  })

  it("a paste of 10 kB with line breaks is one insertion and sends nothing (M11)", () => {
    const pasted = "a line of text\r\n".repeat(640)
    const { editor, outcomes } = typed(`<\u001b[200~${pasted}\u001b[201~>`)
    assert.deepStrictEqual(outcomes, [])
    assert.strictEqual(textIn(editor), `<${pasted.replaceAll("\r\n", "\n")}>`)
  })

  it("drops control characters of a paste", () => {
    assert.strictEqual(textIn(run([{ _tag: "Paste", text: "a\u0007\tb\u009bc" }]).editor), "a    bc")
  })

  it("refuses what is beyond its limit, and keeps what was typed", () => {
    const { editor, outcomes } = run([text("kept"), { _tag: "Paste", text: "x".repeat(mostClusters) }])
    assert.strictEqual(textIn(editor), "kept")
    assert.deepStrictEqual(outcomes, [{ _tag: "Full" }])
  })

  it("means the end with Ctrl-D only where nothing is typed", () => {
    assert.deepStrictEqual(typed("\u0004").outcomes, [{ _tag: "End" }])
    assert.deepStrictEqual(typed("a\u0004").outcomes, [])
  })

  it("does not lose a letter that comes after a lone Escape", () => {
    assert.strictEqual(typed("\u001bhello").shown, "hello|")
  })

  it("keeps the cursor between characters, and the line cut as it should be, whatever is pressed", () => {
    const names = ["left", "right", "home", "end", "up", "down", "backspace", "delete", "ctrl-w", "ctrl-u", "ctrl-k", "ctrl-y", "ctrl-t", "alt-d", "enter", "x"]
    let seed = 1
    const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
    let editor = emptyEditor
    const pieces = ["a", " ", "漢", family, "\u0301", "\u{1f1eb}", "\u200d", "é b"]
    for (let i = 0; i < 5_000; i++) {
      const key = random(2) === 0 ? text(pieces[random(pieces.length)]!) : pressed(names[random(names.length)]!)
      editor = press(editor, key).editor
      assert.isTrue(editor.cursor >= 0 && editor.cursor <= editor.clusters.length)
      assert.deepStrictEqual(editor.clusters, clustersOf(textIn(editor)))
    }
  })
})
