/**
 * What was said in a room and not everybody there has been told yet: encoded once, for however many receivers.
 *
 * Lines have positions that only grow, so that a receiver needs to know only how far it has heard. There are two forms of
 * each line: plain, and with its `SEQ`. The bytes of a form are made when the first receiver wants them.
 */
import * as Protocol from "./Protocol.ts"

/** Whoever may have said something. */
type Author = object | undefined

class Form {
  private readonly lines: Array<string> = []
  private encoded: Buffer | undefined
  private offsets: ReadonlyArray<number> = []
  /** Most receivers have heard equally much. */
  private last: { readonly from: number; readonly bytes: Buffer } | undefined

  add(line: string): void {
    this.lines.push(`${line}\n`)
    this.forget()
  }

  drop(count: number): void {
    this.lines.splice(0, count)
    this.forget()
  }

  // Receivers may still be written the old bytes: they are left alone.
  private forget(): void {
    this.encoded = this.last = undefined
  }

  /** The lines from this one on. The same bytes for everybody: nobody may change them. */
  bytesFrom(from: number): Buffer {
    if (this.encoded === undefined) {
      this.encoded = Buffer.from(this.lines.join(""))
      this.offsets = offsetsOf(this.lines)
    }
    if (this.last?.from !== from) this.last = { from, bytes: this.encoded.subarray(this.offsets[from]) }
    return this.last.bytes
  }

  textFrom(from: number, wants: ((index: number) => boolean) | undefined): string {
    let text = ""
    for (let i = from; i < this.lines.length; i++) if (wants === undefined || wants(i)) text += this.lines[i]!
    return text
  }
}

/** Where each line begins, and where the last one ends. */
const offsetsOf = (lines: ReadonlyArray<string>): ReadonlyArray<number> => {
  const offsets = [0]
  let end = 0
  for (const line of lines) offsets.push(end += Buffer.byteLength(line))
  return offsets
}

export class RoomLines {
  private readonly plain = new Form()
  private readonly numbered = new Form()
  private readonly authors: Array<Author> = []
  /** Of its first line. */
  first = 0

  /** Of the line that will come next: whoever has heard so far has heard everything. */
  get end(): number {
    return this.first + this.authors.length
  }

  add(line: string, seq: string, author: Author): void {
    this.plain.add(line)
    this.numbered.add(Protocol.seq(seq, line))
    this.authors.push(author)
  }

  /** Everybody has heard the lines before this one. */
  dropBefore(position: number): void {
    const count = position - this.first
    this.plain.drop(count)
    this.numbered.drop(count)
    this.authors.splice(0, count)
    this.first = position
  }

  /** The lines from this one on, as bytes that are shared. */
  bytesFrom(position: number, withSeq: boolean): Buffer {
    return (withSeq ? this.numbered : this.plain).bytesFrom(position - this.first)
  }

  /** The same as a text, without the lines of one author. */
  textFrom(position: number, withSeq: boolean, without: Author): string {
    const wants = without === undefined ? undefined : (index: number) => this.authors[index] !== without
    return (withSeq ? this.numbered : this.plain).textFrom(position - this.first, wants)
  }

  /** Whether this author has said any of the lines from this one on. */
  hasBy(author: object, position: number): boolean {
    return this.authors.includes(author, position - this.first)
  }
}
