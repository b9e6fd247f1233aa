/**
 * Bytes of a terminal to keys.
 *
 * A key is one byte, or several, or an escape sequence; a read of the terminal may end in the middle of each. What has
 * come of a key is kept until the rest of it comes, so it does not matter how the bytes are cut.
 */

export type Key =
  /** Characters that were typed. */
  | { readonly _tag: "Text"; readonly text: string }
  /** Text that was pasted, with its line breaks as "\n". Terminals mark it when they are asked to (bracketed paste). */
  | { readonly _tag: "Paste"; readonly text: string }
  /** Any other key: `enter`, `left`, `ctrl-a`, `alt-b`, `ctrl-left`. */
  | { readonly _tag: "Press"; readonly name: string }

/** What is pasted beyond this many characters is dropped. */
const longestPaste = 1_000_000

/** An escape sequence that goes on for longer is none that anybody knows. */
const longestSequence = 32

const escape = "\u001b"
const pasteBegins = "\u001b[200~"
const pasteEnds = "\u001b[201~"
const ctrlC = "\u0003"

const controls: Readonly<Record<string, string>> = { "\r": "enter", "\n": "enter", "\t": "tab", "\b": "backspace", "\u007f": "backspace" }

/** By the last letter of the sequence. */
const letters: Readonly<Record<string, string>> = { A: "up", B: "down", C: "right", D: "left", F: "end", H: "home" }

/** By the number of a sequence that ends in "~". */
const numbers: Readonly<Record<string, string>> = { 1: "home", 3: "delete", 4: "end", 5: "page-up", 6: "page-down", 7: "home", 8: "end" }

/** The second number of a sequence is one more than the sum of the keys that are held: 1 Shift, 2 Alt, 4 Ctrl. */
const held = (modifier: string | undefined): string => {
  const bits = Math.max(0, Number(modifier ?? 1) - 1)
  return `${bits & 4 ? "ctrl-" : ""}${bits & 2 ? "alt-" : ""}`
}

// oxlint-disable-next-line no-control-regex
const sequence = /^\u001b(?:\[([0-9;:<=>?]*)([ -/]*)([@-~])|O([0-9;]*)([A-Za-z]))/

const nameOf = (text: string): string => {
  const [, numbersInIt = "", between = "", last = "", numbersOfO = "", lastOfO = ""] = sequence.exec(text)!
  const [first, modifier] = (numbersInIt || numbersOfO).split(";")
  const end = last || lastOfO
  const name = between !== "" ? undefined : end === "~" ? numbers[first ?? ""] : letters[end]
  return name === undefined ? "unknown" : held(modifier) + name
}

const press = (name: string): Key => ({ _tag: "Press", name })

const isControl = (char: string): boolean => char < " " || char === "\u007f"

/** Finds the keys in what a terminal sends. One for each terminal. */
export class KeyDecoder {
  private readonly decoder = new TextDecoder()
  private pending = ""
  private paste: string | undefined = undefined

  /** The keys that are complete now. */
  push(bytes: Uint8Array): Array<Key> {
    this.pending += this.decoder.decode(bytes, { stream: true })
    const keys: Array<Key> = []
    for (let key = this.next(); key !== undefined; key = this.next()) keys.push(key)
    return keys
  }

  private next(): Key | undefined {
    if (this.paste !== undefined) return this.pasted(this.paste)
    const first = this.pending[0]
    if (first === undefined) return undefined
    if (first === escape) return this.escaped()
    if (isControl(first)) {
      this.take(1)
      return press(controls[first] ?? `ctrl-${String.fromCharCode(first.charCodeAt(0) + 0x60)}`)
    }
    let end = 1
    while (end < this.pending.length && !isControl(this.pending[end]!)) end++
    return { _tag: "Text", text: this.take(end) }
  }

  private escaped(): Key | undefined {
    const { pending } = this
    if (pending.startsWith(pasteBegins)) {
      this.take(pasteBegins.length)
      this.paste = ""
      return this.pasted("")
    }
    const found = sequence.exec(pending)
    if (found !== null) return press(nameOf(this.take(found[0].length)))
    // oxlint-disable-next-line no-control-regex
    if (/^\u001b(?:\[[0-9;:<=>?]*[ -/]*|O[0-9;]*)?$/.test(pending) && pending.length < longestSequence) return undefined
    const second = pending[1]!
    if (second === "[" || second === "O") {
      this.take(pending.length < longestSequence ? 2 : longestSequence)
      return press("unknown")
    }
    // Escape before another key is how terminals send Alt.
    const char = String.fromCodePoint(pending.codePointAt(1)!)
    if (isControl(char) && controls[char] !== "backspace") {
      // Nobody types Alt with Ctrl here; somebody pressed Escape, and Ctrl-C after it must not be lost.
      this.take(1)
      return press("escape")
    }
    this.take(1 + char.length)
    return press(`alt-${controls[char] ?? char}`)
  }

  /** All that was pasted is one key, so that no line break in it is taken for Enter. */
  private pasted(before: string): Key | undefined {
    const end = this.pending.indexOf(pasteEnds)
    const interrupted = this.pending.indexOf(ctrlC)
    if (interrupted >= 0 && (end < 0 || interrupted < end)) {
      // The way out, should the end of the paste never come: the paste is dropped, and the next key is Ctrl-C.
      this.take(interrupted)
      this.paste = undefined
      return this.next()
    }
    if (end < 0) {
      // The end may have been cut in two.
      const sure = Math.max(0, this.pending.length - (pasteEnds.length - 1))
      this.paste = (before + this.take(sure)).slice(0, longestPaste)
      return undefined
    }
    const text = (before + this.take(end)).slice(0, longestPaste)
    this.take(pasteEnds.length)
    this.paste = undefined
    return { _tag: "Paste", text: text.replace(/\r\n?/g, "\n") }
  }

  private take(length: number): string {
    const taken = this.pending.slice(0, length)
    this.pending = this.pending.slice(length)
    return taken
  }
}
