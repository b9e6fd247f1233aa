/**
 * What was said in a room in one turn: encoded once, for however many receivers.
 *
 * There are two forms of it: plain lines, and lines with their `SEQ`. Each is made when the first receiver wants it.
 */
import * as Protocol from "./Protocol.ts"

/** Whoever may have said something. */
type Author = object | undefined

class Form {
  private readonly lines: Array<string> = []
  private encoded: Buffer | undefined
  private offsets: Array<number> | undefined

  add(line: string): void {
    this.lines.push(`${line}\n`)
  }

  /** The same bytes for everybody: nobody may change them. */
  get bytes(): Buffer {
    return this.encoded ??= Buffer.from(this.lines.join(""))
  }

  /** Without the first so many lines. */
  bytesFrom(from: number): Buffer {
    if (from === 0) return this.bytes
    this.offsets ??= offsetsOf(this.lines)
    return this.bytes.subarray(this.offsets[from])
  }

  textFrom(from: number, wants: ((index: number) => boolean) | undefined): string {
    let text = ""
    for (let i = from; i < this.lines.length; i++) if (wants === undefined || wants(i)) text += this.lines[i]!
    return text
  }
}

/** Where each line begins, and where the last one ends. */
const offsetsOf = (lines: ReadonlyArray<string>): Array<number> => {
  const offsets = [0]
  let end = 0
  for (const line of lines) offsets.push(end += Buffer.byteLength(line))
  return offsets
}

export class Batch {
  private readonly plain = new Form()
  private readonly numbered = new Form()
  private readonly authors: Array<Author> = []

  get length(): number {
    return this.authors.length
  }

  add(line: string, seq: string, author: Author): void {
    this.plain.add(line)
    this.numbered.add(Protocol.seq(seq, line))
    this.authors.push(author)
  }

  /** All lines, as shared bytes. */
  bytes(withSeq: boolean): Buffer {
    return (withSeq ? this.numbered : this.plain).bytes
  }

  /** The lines from this one on, as shared bytes. */
  bytesFrom(from: number, withSeq: boolean): Buffer {
    return (withSeq ? this.numbered : this.plain).bytesFrom(from)
  }

  /** The same as a text, without the lines of one author. */
  textFrom(from: number, withSeq: boolean, without: Author): string {
    const wants = without === undefined ? undefined : (index: number) => this.authors[index] !== without
    return (withSeq ? this.numbered : this.plain).textFrom(from, wants)
  }

  isBy(author: object): boolean {
    return this.authors.includes(author)
  }
}
