/**
 * One user's talk with the server, over as many connections as it takes: lines of the server and lines of the user go in,
 * lines to show and lines to send come out. It does not know what a socket is, nor what a screen is, and the time is told to
 * it. So a test can play any story with it.
 */
import * as Heard from "./Heard.ts"
import * as Outbox from "./Outbox.ts"

export interface Settings {
  /** Begins each id of a message: ids of different runs of the program must differ. */
  readonly idPrefix: string
  /** After so long a message that was not accepted has failed. */
  readonly giveUpMillis: number
}

/** Something to be shown. */
export type Shown =
  /** A line of the chat, of now or of the past. `delivered`: it is ours, and the server has it. */
  | { readonly _tag: "Chat"; readonly at: number | undefined; readonly line: string; readonly delivered: boolean }
  | { readonly _tag: "Reply"; readonly text: string }
  | { readonly _tag: "Problem"; readonly text: string }
  /** What was entered and will not be delivered. */
  | { readonly _tag: "Failed"; readonly text: string; readonly why: string }

export interface Reaction {
  readonly show: ReadonlyArray<Shown>
  readonly send: ReadonlyArray<string>
}

export type Phase =
  /** There is no connection. */
  | { readonly _tag: "Away" }
  /** Asked what the server can do. */
  | { readonly _tag: "Asking" }
  | { readonly _tag: "Joining" }
  | { readonly _tag: "Resuming" }
  | { readonly _tag: "Live" }
  /** This connection is of no use; another one should be tried. */
  | { readonly _tag: "Useless"; readonly why: string }
  /** The server does not want us, or does not want us any more. */
  | { readonly _tag: "Over"; readonly refused: "name" | "other" | undefined; readonly why: string }

const capsLine = "CAPS ack resume history"

/** Of so many lines the number is remembered, to know a line that comes twice. */
const mostSeqs = 4_096

/** Of so many lines the words are remembered, to know those of the history that have been shown. */
const mostRecent = 200

/** A server may be told not to say a message back to its sender. After this we show it ourselves. */
const echoMillis = 2_000

/** A server that does not answer a message for so long is none. */
const answerMillis = 10_000

/** What was refused for a reason that passes is said again after this. */
const againMillis = 500
const passingReasons = new Set(["flood", "unavailable"])

/** The server has decided that this is the end: to come back at once would be rude, or useless. */
const finalReasons = new Set(["idle", "shutdown", "resumed"])

export class Conversation {
  name: string
  phase: Phase = { _tag: "Away" }
  outbox: Outbox.Outbox = Outbox.empty
  /** Whether the server has ever let us in. */
  everLive = false
  /** Whether a message of the user was not delivered. */
  anyFailed = false
  /** The server speaks the plain protocol only. */
  isPlain = false
  /** Whether the server tells us what it has accepted. */
  private hasAcks = false
  private readonly settings: Settings
  private granted: Heard.Granted = new Set()
  private token: string | undefined = undefined
  private lastSeq = "-"
  private readonly seqs = new Set<string>()
  private readonly recent: Array<string> = []
  /** Lines of the history that were shown already, and how often, while it is being told again. */
  private known: Map<string, number> | undefined = undefined
  private ids = 0
  private show: Array<Shown> = []
  private send: Array<string> = []

  constructor(name: string, settings: Settings) {
    this.name = name
    this.settings = settings
  }

  /** There is a connection. */
  connected(): Reaction {
    return this.reaction(() => {
      this.granted = new Set()
      if (this.isPlain) {
        this.hasAcks = false
        this.join()
      }
      else {
        this.phase = { _tag: "Asking" }
        this.send.push(capsLine)
      }
    })
  }

  /** The connection is gone. */
  lost(): Reaction {
    return this.reaction(() => {
      // It may have been our question that has made the server close.
      if (this.phase._tag === "Asking" && !this.everLive) this.isPlain = true
      if (this.phase._tag !== "Over") this.phase = { _tag: "Away" }
      if (this.hasAcks) this.outbox = Outbox.requeued(this.outbox)
      else for (const entry of this.outbox) if (entry._tag === "Accepted") this.fail(entry, "the connection was lost, and nobody knows whether it arrived")
    })
  }

  /** The server has not answered for too long. */
  unanswered(): Reaction {
    return this.reaction(() => {
      if (this.phase._tag === "Asking" && !this.everLive) this.isPlain = true
      this.phase = { _tag: "Useless", why: "the server does not answer" }
    })
  }

  /** The user has entered a line. */
  entered(text: string, now: number): Reaction {
    return this.reaction(() => {
      // A line of the protocol is one line.
      const words = text.replace(/[\r\n]+/g, " ")
      if (words.trim() === "") return
      this.outbox = Outbox.add(this.outbox, `${this.settings.idPrefix}-${++this.ids}`, words, now)
      this.flush(now)
    })
  }

  /** The server has sent a line that is too long to be shown. */
  overlong(): Reaction {
    return this.reaction(() => void this.show.push({ _tag: "Problem", text: "a line was left out: it was too long" }))
  }

  /** The server has sent a line. */
  heard(line: string, now: number): Reaction {
    return this.reaction(() => {
      const heard = Heard.read(line, this.granted)
      if (this.phase._tag === "Asking") return this.asked(heard)
      switch (heard._tag) {
        case "Caps":
          return
        case "Token":
          this.token = heard.token
          return this.live(now)
        case "Resumed":
          this.name = heard.name
          return this.live(now)
        case "History":
          if (this.everLive) this.known = countsOf(this.recent)
          return this.live(now)
        case "Past":
          return this.past(heard)
        case "Chat":
          this.live(now)
          return this.chat(heard)
        case "Ack":
          this.outbox = Outbox.accepted(this.outbox, heard.id, now)
          return this.flush(now)
        case "Nak":
          return this.refused(heard, now)
        case "Reply":
          return void this.show.push({ _tag: "Reply", text: heard.text })
        case "Error":
          return this.failed(heard)
      }
    })
  }

  /** Time has passed: see `wakeAt`. */
  tick(now: number): Reaction {
    return this.reaction(() => {
      for (const entry of this.outbox) {
        if (now < this.wakeAtOf(entry)) continue
        if (entry._tag === "Accepted") this.sayOurselves(entry)
        else if (now >= entry.since + this.settings.giveUpMillis) this.fail(entry, "it was not accepted for too long")
        else if (entry._tag === "Sent") this.phase = { _tag: "Useless", why: "the server does not answer" }
      }
      this.flush(now)
    })
  }

  /** When `tick` has something to do. */
  get wakeAt(): number {
    return this.outbox.reduce((at, entry) => Math.min(at, this.wakeAtOf(entry)), Infinity)
  }

  private wakeAtOf(entry: Outbox.Entry): number {
    const givenUpAt = entry.since + this.settings.giveUpMillis
    const isLive = this.phase._tag === "Live"
    switch (entry._tag) {
      // While there is no connection, nothing can be said back.
      case "Accepted":
        return isLive ? entry.acceptedAt + echoMillis : Infinity
      case "Sent":
        return isLive ? Math.min(givenUpAt, entry.sentAt + answerMillis) : givenUpAt
      case "Waiting":
        return isLive && Outbox.sendable(this.outbox, entry.notBefore) === entry ? Math.min(givenUpAt, entry.notBefore) : givenUpAt
    }
  }

  private reaction(happens: () => void): Reaction {
    happens()
    const reaction = { show: this.show, send: this.send }
    this.show = []
    this.send = []
    return reaction
  }

  /** The first answer, to what the server can do. One that does not know the question closes the connection, or says nothing. */
  private asked(heard: Heard.Heard): void {
    if (heard._tag === "Caps") {
      this.granted = new Set(heard.granted)
      this.hasAcks = this.granted.has("ack")
      if (this.token !== undefined && this.granted.has("resume")) {
        this.phase = { _tag: "Resuming" }
        this.send.push(`RESUME ${this.token} ${this.lastSeq}`)
      } else this.join()
    } else if (heard._tag === "Error" && heard.reason !== "protocol") this.failed(heard)
    else if (heard._tag === "Error") {
      this.isPlain = true
      this.phase = { _tag: "Useless", why: "the server speaks the plain protocol" }
    } else if (heard._tag === "Chat") this.chat(heard)
  }

  private join(): void {
    this.phase = { _tag: "Joining" }
    this.token = undefined
    // Who joins anew hears nothing that was said before. A server that was started anew counts from the beginning.
    this.lastSeq = "-"
    this.seqs.clear()
    this.send.push(`CONNECT ${this.name}`)
  }

  private live(now: number): void {
    if (this.phase._tag !== "Joining" && this.phase._tag !== "Resuming") return
    this.phase = { _tag: "Live" }
    this.everLive = true
    this.outbox = Outbox.patient(this.outbox, now)
    this.flush(now)
  }

  private flush(now: number): void {
    if (this.phase._tag !== "Live") return
    for (let entry = Outbox.sendable(this.outbox, now); entry !== undefined; entry = Outbox.sendable(this.outbox, now)) {
      this.send.push(this.hasAcks ? `MSG ${entry.id} ${entry.text}` : entry.text)
      this.outbox = Outbox.sent(this.outbox, entry.id, now)
      if (this.hasAcks) return
      // Nobody answers. Words come back when they have arrived; of commands nothing is known.
      if (Outbox.isCommand(entry.text)) this.outbox = Outbox.removed(this.outbox, entry.id)
      else this.outbox = Outbox.accepted(this.outbox, entry.id, now)
    }
  }

  private chat({ line, seq }: Extract<Heard.Heard, { readonly _tag: "Chat" }>): void {
    if (seq !== undefined) {
      // After a lost connection the server may say again what we have heard.
      if (this.seqs.has(seq)) return
      this.seqs.add(seq)
      if (this.seqs.size > mostSeqs) for (const oldest of [...this.seqs].slice(0, mostSeqs / 2)) this.seqs.delete(oldest)
      this.lastSeq = seq
    }
    this.recent.push(line)
    if (this.recent.length > mostRecent) this.recent.shift()
    const renamed = Heard.renamed(line)
    if (renamed?.old === this.name) this.name = renamed.name
    this.show.push({ _tag: "Chat", at: undefined, line, delivered: this.isEcho(line) })
  }

  /** Whether these are words of ours that come back. They have arrived then. */
  private isEcho(line: string): boolean {
    const said = Heard.said(line)
    if (said === undefined || said.manner === "Whispered" || said.from !== this.name) return false
    const entry = Outbox.echoed(this.outbox, { manner: said.manner, text: said.text })
    if (entry !== undefined) this.outbox = Outbox.heard(this.outbox, entry.id)
    return entry !== undefined
  }

  private past({ at, line }: Extract<Heard.Heard, { readonly _tag: "Past" }>): void {
    const count = this.known?.get(line) ?? 0
    if (count > 0) return void this.known!.set(line, count - 1)
    this.show.push({ _tag: "Chat", at, line, delivered: this.isEcho(line) })
  }

  private refused({ id, reason, text }: Extract<Heard.Heard, { readonly _tag: "Nak" }>, now: number): void {
    const entry = this.outbox.find((entry) => entry.id === id)
    if (entry === undefined) return
    if (passingReasons.has(reason)) this.outbox = Outbox.postponed(this.outbox, id, now + againMillis)
    else if (Outbox.isMessage(entry.text)) this.fail(entry, text === "" ? reason : text)
    else {
      // Nothing is lost with a command that was mistyped.
      this.outbox = Outbox.removed(this.outbox, id)
      this.show.push({ _tag: "Problem", text: text === "" ? reason : text })
    }
    this.flush(now)
  }

  private failed({ reason, text }: Extract<Heard.Heard, { readonly _tag: "Error" }>): void {
    const why = text === "" ? reason : text
    const isHello = this.phase._tag !== "Live"
    if (reason === "resume-unknown") {
      this.show.push({ _tag: "Problem", text: "the server has forgotten us; what was said meanwhile may be missing" })
      return this.join()
    }
    if (finalReasons.has(reason)) this.phase = { _tag: "Over", refused: undefined, why }
    else if (isHello && !this.everLive) this.phase = { _tag: "Over", refused: reason.startsWith("name-") ? "name" : "other", why }
    // We had this name before: whoever has it now may be ourselves, over the connection that was lost.
    else if (isHello) this.phase = { _tag: "Useless", why }
    else this.show.push({ _tag: "Problem", text: why })
  }

  private fail(entry: Outbox.Entry, why: string): void {
    this.outbox = Outbox.removed(this.outbox, entry.id)
    // It was said: only the answer is missing.
    if (entry.said) return
    if (Outbox.isMessage(entry.text)) this.anyFailed = true
    this.show.push({ _tag: "Failed", text: entry.text, why })
  }

  private sayOurselves(entry: Outbox.Entry): void {
    this.outbox = Outbox.removed(this.outbox, entry.id)
    const { manner, text } = Outbox.wordsOf(entry.text)!
    const line = manner === "Acted" ? `* ${this.name} ${text}` : `${this.name}: ${text}`
    this.show.push({ _tag: "Chat", at: undefined, line, delivered: this.hasAcks })
  }

  /** The end: what was not delivered has failed. */
  over(): Reaction {
    return this.reaction(() => {
      for (const entry of this.outbox) if (entry._tag !== "Accepted") this.fail(entry, "the conversation is over")
    })
  }
}

const countsOf = (lines: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}
