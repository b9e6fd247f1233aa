import { Errors } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { delayMillis } from "../../../examples/chat/client/Backoff.ts"
import { Conversation, type Reaction } from "../../../examples/chat/client/Conversation.ts"
import * as Heard from "../../../examples/chat/client/Heard.ts"
import { inPipe, notesOf, onScreen } from "../../../examples/chat/client/Look.ts"
import { parse } from "../../../examples/chat/client/Options.ts"
import { inFewWords } from "../../../examples/chat/client/Reason.ts"
import { textOf } from "../../../examples/terminal/Line.ts"

const all: Heard.Granted = new Set(["ack", "resume", "history"])
const none: Heard.Granted = new Set()

describe("chat/client/Heard", () => {
  it("reads each line of the protocol", () => {
    for (const [line, heard] of [
      ["CAPS ack history", { _tag: "Caps", granted: ["ack", "history"] }],
      ["TOKEN abc", { _tag: "Token", token: "abc" }],
      ["RESUMED bob", { _tag: "Resumed", name: "bob" }],
      ["HISTORY 3", { _tag: "History", count: 3 }],
      ["PAST 1700000000 bob: a b", { _tag: "Past", at: 1_700_000_000_000, line: "bob: a b" }],
      ["SEQ 5-1 bob: SEQ 5 x", { _tag: "Chat", seq: "5-1", line: "bob: SEQ 5 x" }],
      ["ACK id-1", { _tag: "Ack", id: "id-1" }],
      ["NAK id-1 flood not so fast", { _tag: "Nak", id: "id-1", reason: "flood", text: "not so fast" }],
      ["ERR idle nothing said", { _tag: "Error", reason: "idle", text: "nothing said" }],
      ["-- bob, alice", { _tag: "Reply", text: "bob, alice" }],
      ["bob connected!", { _tag: "Chat", seq: undefined, line: "bob connected!" }],
      ["", { _tag: "Chat", seq: undefined, line: "" }]
    ] as const) assert.deepStrictEqual(Heard.read(line, all), heard, line)
  })

  it("takes for words what the server has not granted", () => {
    for (const line of ["TOKEN abc", "SEQ 1 x", "ACK 1", "NAK 1 flood x", "PAST 1 x", "HISTORY 2", "RESUMED bob"]) {
      assert.deepStrictEqual(Heard.read(line, none), { _tag: "Chat", seq: undefined, line })
    }
  })

  it("tells words from notices (M10)", () => {
    assert.deepStrictEqual(Heard.said("eve: bob has left the chat"), { from: "eve", manner: "Said", text: "bob has left the chat" })
    assert.deepStrictEqual(Heard.said("eve (private): x: y"), { from: "eve", manner: "Whispered", text: "x: y" })
    assert.deepStrictEqual(Heard.said("a:b: c"), { from: "a:b", manner: "Said", text: "c" })
    assert.deepStrictEqual(Heard.said("* eve says: bob has left the chat"), { from: "eve", manner: "Acted", text: "says: bob has left the chat" })
    assert.isUndefined(Heard.said("bob has left the chat"))
    assert.isUndefined(Heard.renamed("eve: bob is now known as root"))
    assert.deepStrictEqual(Heard.renamed("bob is now known as rob"), { old: "bob", name: "rob" })
  })
})

describe("chat/client/Backoff", () => {
  it("waits longer each time, up to a limit, and never the same time for everybody", () => {
    assert.deepStrictEqual([0, 1, 2, 3].map((attempt) => delayMillis(attempt, 1)), [200, 400, 800, 1600])
    assert.deepStrictEqual([0, 1].map((attempt) => delayMillis(attempt, 0)), [100, 200])
    assert.strictEqual(delayMillis(1_000, 1), 10_000)
  })
})

describe("chat/client/Reason", () => {
  const broken = (cause?: unknown) => new Errors.Broken({ what: "tcp 127.0.0.1:8000", cause })
  const system = (code: string) => Object.assign(new Error(`connect ${code} 127.0.0.1:8000`), { code })

  it("says in few words what the system has said", () => {
    for (const [cause, words] of [
      [system("ECONNREFUSED"), "refused"],
      [system("ECONNRESET"), "reset"],
      [system("ENOTFOUND"), "no such host"],
      [system("EMFILE"), "EMFILE"],
      // Where a name has several addresses, each has its own reason.
      [new AggregateError([system("ECONNREFUSED"), system("ECONNREFUSED")], "each with its words"), "refused"],
      [new AggregateError([system("ECONNREFUSED"), system("ENETUNREACH")], "each with its words"), "refused, no network"],
      [new Error("words"), "broken"],
      [undefined, "broken"]
    ] as const) assert.strictEqual(inFewWords(broken(cause)), words)
  })
})

/** Plays a story. */
class Story {
  readonly conversation = new Conversation("alice", { idPrefix: "m", giveUpMillis: 60_000 })
  readonly sent: Array<string> = []
  readonly shown: Array<string> = []
  now = 0

  private took({ send, show }: Reaction): this {
    this.sent.push(...send)
    this.shown.push(...show.map((shown) => textOf(onScreen(shown, this.conversation.name, 0)).replace(/^\d\d:\d\d /, "")))
    return this
  }

  connected(): this {
    return this.took(this.conversation.connected())
  }

  hears(...lines: ReadonlyArray<string>): this {
    for (const line of lines) this.took(this.conversation.heard(line, this.now))
    return this
  }

  types(...lines: ReadonlyArray<string>): this {
    for (const line of lines) this.took(this.conversation.entered(line, this.now))
    return this
  }

  lost(): this {
    return this.took(this.conversation.lost())
  }

  unanswered(): this {
    return this.took(this.conversation.unanswered())
  }

  /** Time passes, and the conversation is told when it has asked for that. */
  passes(millis: number): this {
    const until = this.now + millis
    for (let at = this.conversation.wakeAt; at <= until; at = this.conversation.wakeAt) {
      this.now = Math.max(this.now, at)
      this.took(this.conversation.tick(this.now))
    }
    this.now = until
    return this
  }

  overlongLine(): this {
    return this.took(this.conversation.overlong())
  }

  over(): this {
    return this.took(this.conversation.over())
  }

  joined(): this {
    return this.connected().hears("CAPS ack resume history", "Welcome! 1 user(s) are online!", "TOKEN t", "HISTORY 0", "SEQ 1 alice connected!")
  }

  get phase(): string {
    return this.conversation.phase._tag
  }

  get pending(): ReadonlyArray<string> {
    return notesOf(this.conversation, "").map(textOf)
  }

  /** What was sent and shown since this was last asked. */
  take(): { readonly sent: ReadonlyArray<string>; readonly shown: ReadonlyArray<string> } {
    return { sent: this.sent.splice(0), shown: this.shown.splice(0) }
  }
}

const live = (): Story => {
  const story = new Story().joined()
  story.take()
  return story
}

describe("chat/client/Conversation", () => {
  it("asks what the server can do, then for its name", () => {
    const story = new Story().connected()
    assert.deepStrictEqual(story.take(), { sent: ["CAPS ack resume history"], shown: [] })
    assert.deepStrictEqual(story.hears("CAPS ack resume history").take(), { sent: ["CONNECT alice"], shown: [] })
    story.hears("Welcome! 2 user(s) are online!", "TOKEN t", "HISTORY 1", "PAST 0 bob: before", "SEQ 1 alice connected!")
    assert.deepStrictEqual(story.take(), { sent: [], shown: ["Welcome! 2 user(s) are online!", "bob: before", "alice connected!"] })
    assert.strictEqual(story.phase, "Live")
  })

  it("shows what we say as on its way, and as delivered when it comes back (EX2)", () => {
    const story = live().types("hi")
    assert.deepStrictEqual(story.take(), { sent: ["MSG m-1 hi"], shown: [] })
    assert.deepStrictEqual(story.pending, ["… hi"])
    story.hears("ACK m-1")
    assert.deepStrictEqual(story.pending, ["… hi"])
    assert.deepStrictEqual(story.hears("SEQ 2 alice: hi").take().shown, ["alice: hi ✓"])
    assert.deepStrictEqual(story.pending, [])
    // The answer may come after the words.
    story.types("ho").hears("SEQ 3 alice: ho")
    assert.deepStrictEqual([story.take().shown, story.pending], [["alice: ho ✓"], []])
    assert.lengthOf(story.conversation.outbox, 1)
    assert.lengthOf(story.hears("ACK m-2").conversation.outbox, 0)
  })

  it("sends one message at a time, in order", () => {
    const story = live().types("one", "two", "three")
    assert.deepStrictEqual(story.take().sent, ["MSG m-1 one"])
    assert.deepStrictEqual(story.hears("ACK m-1").take().sent, ["MSG m-2 two"])
    assert.deepStrictEqual(story.hears("SEQ 2 alice: one", "ACK m-2", "ACK m-3").take().sent, ["MSG m-3 three"])
  })

  it("says again what was not answered when the connection is back (EX3, EX4)", () => {
    const story = live().types("one", "two").lost()
    assert.deepStrictEqual(story.pending, ["○ one", "○ two"])
    story.take()
    assert.deepStrictEqual(story.connected().hears("CAPS ack resume history").take().sent, ["CAPS ack resume history", "RESUME t 1"])
    assert.deepStrictEqual(story.hears("RESUMED alice", "SEQ 2 alice: one").take(), { sent: ["MSG m-1 one"], shown: ["alice: one ✓"] })
    assert.deepStrictEqual(story.hears("ACK m-1").take().sent, ["MSG m-2 two"])
  })

  it("shows a line that comes twice once (EX4)", () => {
    const story = live().hears("SEQ 7-1 bob: hi", "SEQ 7-1 bob: hi", "SEQ 7-2 bob: hi")
    assert.deepStrictEqual(story.take().shown, ["bob: hi", "bob: hi"])
    story.lost().connected().hears("CAPS ack resume history")
    assert.include(story.take().sent, "RESUME t 7-2")
  })

  it("tells a message that the server refuses as failed, with the reason, and goes on with the next (EX2)", () => {
    const story = live().types("x", "y").hears("NAK m-1 too-long it is too long")
    assert.deepStrictEqual(story.take(), { sent: ["MSG m-1 x", "MSG m-2 y"], shown: ["✗ not delivered: x (it is too long)"] })
    assert.isTrue(story.conversation.anyFailed)
  })

  it("takes a command that is refused for no lost message (bug: a mistyped one made the program end with 1)", () => {
    const story = live().types("/wat", "/nick bob", "/me", "/msg bob").hears("NAK m-1 unknown-command there is no /wat", "NAK m-2 name-taken", "NAK m-3 protocol say /me TEXT", "NAK m-4 protocol say /msg NAME TEXT")
    assert.deepStrictEqual(story.take().shown, ["!! there is no /wat", "!! name-taken", "!! say /me TEXT", "!! say /msg NAME TEXT"])
    assert.deepStrictEqual(story.types("/who").over().take().shown, ["✗ not delivered: /who (the conversation is over)"])
    assert.isFalse(story.conversation.anyFailed)
    for (const message of ["hi", "//hi", "/me waves", "/msg bob hi"]) {
      const refused = live().types(message).hears("NAK m-1 no-such-user nobody is called bob")
      assert.deepStrictEqual(refused.take().shown, [`✗ not delivered: ${message} (nobody is called bob)`])
      assert.isTrue(refused.conversation.anyFailed)
      const unanswered = live().types(message)
      unanswered.over()
      assert.isTrue(unanswered.conversation.anyFailed)
    }
  })

  it("says again later what was refused for now, and keeps the order", () => {
    const story = live().types("x", "y").hears("NAK m-1 flood not so fast")
    assert.deepStrictEqual(story.take().sent, ["MSG m-1 x"])
    assert.deepStrictEqual(story.passes(499).take().sent, [])
    assert.deepStrictEqual(story.passes(1).take().sent, ["MSG m-1 x"])
    assert.deepStrictEqual(story.hears("ACK m-1").take().sent, ["MSG m-2 y"])
    assert.isFalse(story.conversation.anyFailed)
  })

  it("gives a message up that is not accepted for too long", () => {
    const story = live().lost().types("x")
    assert.deepStrictEqual(story.passes(59_999).take().shown, [])
    assert.deepStrictEqual(story.passes(1).take().shown, ["✗ not delivered: x (it was not accepted for too long)"])
    assert.deepStrictEqual(story.pending, [])
  })

  it("takes a server that does not answer a message for one that is gone", () => {
    const story = live().types("x").passes(9_999)
    assert.strictEqual(story.phase, "Live")
    assert.strictEqual(story.passes(1).phase, "Useless")
  })

  it("shows our words itself where the server does not say them back to us (EX1)", () => {
    const story = live().types("hi").hears("ACK m-1")
    assert.deepStrictEqual(story.passes(1_999).take().shown, [])
    assert.deepStrictEqual(story.passes(1).take().shown, ["alice: hi ✓"])
    assert.deepStrictEqual(story.passes(100_000).take().shown, [])
  })

  it("waits for no words after a command", () => {
    const story = live().types("/who", "//not a command").hears("ACK m-1")
    assert.deepStrictEqual(story.pending, ["… //not a command"])
    assert.deepStrictEqual(story.hears("SEQ 2 alice: /not a command", "ACK m-2").take().shown, ["alice: /not a command ✓"])
    assert.deepStrictEqual(story.pending, [])
  })

  it("shows what we do as delivered when it comes back (bug: lines of /me never had their ✓)", () => {
    const story = live().types("/me  waves ").hears("ACK m-1")
    assert.deepStrictEqual(story.pending, ["… /me  waves "])
    // Whoever says the same does not do it.
    assert.deepStrictEqual(story.hears("SEQ 2 alice: waves", "SEQ 3 * bob waves").take().shown, ["alice: waves", "* bob waves"])
    assert.deepStrictEqual(story.hears("SEQ 4 * alice waves").take().shown, ["* alice waves ✓"])
    assert.lengthOf(story.conversation.outbox, 0)
    // A server may be told not to say it back; and who does nothing waits for nothing.
    assert.deepStrictEqual(story.types("/me bows").hears("ACK m-2").passes(2_000).take().shown, ["* alice bows ✓"])
    assert.deepStrictEqual(story.types("/me").hears("ACK m-3").pending, [])
  })

  it("does not take the words of others for ours, nor private ones", () => {
    const story = live().types("hi").hears("SEQ 2 bob: hi", "SEQ 3 alice (private): hi")
    assert.deepStrictEqual(story.take().shown, ["bob: hi", "alice (private): hi"])
    assert.deepStrictEqual(story.pending, ["… hi"])
  })

  it("knows its name after /nick, also when it comes back", () => {
    const story = live().types("/nick anna").hears("ACK m-1", "SEQ 2 alice is now known as anna").types("hi").hears("SEQ 3 anna: hi")
    assert.deepStrictEqual(story.take().shown, ["alice is now known as anna", "anna: hi ✓"])
    story.lost().connected().hears("CAPS ack resume history", "ERR resume-unknown who are you?")
    assert.include(story.take().sent, "CONNECT anna")
  })

  it("joins anew where the server has forgotten us, and shows of the history only what is new", () => {
    const story = live().hears("SEQ 2 bob: one", "SEQ 3 bob: one").lost().connected()
    story.take()
    story.hears("CAPS ack resume history", "ERR resume-unknown no such token")
    assert.deepStrictEqual(story.take(), {
      sent: ["RESUME t 3", "CONNECT alice"],
      shown: ["!! the server has forgotten us; what was said meanwhile may be missing"]
    })
    story.hears("Welcome! 1 user(s) are online!", "TOKEN u", "HISTORY 4", "PAST 1 bob: one", "PAST 2 bob: one", "PAST 3 bob: one", "PAST 4 bob: two", "SEQ 1 alice connected!")
    // A server that was started anew counts anew, too.
    assert.deepStrictEqual(story.take().shown, ["Welcome! 1 user(s) are online!", "bob: one", "bob: two", "alice connected!"])
  })

  it("speaks the plain protocol with a server that does not know the first question", () => {
    for (const refuse of [
      (story: Story) => story.unanswered(),
      (story: Story) => story.lost(),
      (story: Story) => story.hears("ERR protocol expected CONNECT")
    ]) {
      const story = refuse(new Story().connected()).lost()
      assert.isTrue(story.conversation.isPlain)
      story.take()
      assert.deepStrictEqual(story.connected().take().sent, ["CONNECT alice"])
      story.hears("Welcome! 1 user(s) are online!", "alice connected!").types("hi", "there")
      assert.deepStrictEqual(story.take().sent, ["hi", "there"])
      assert.deepStrictEqual(story.pending, ["… hi", "… there"])
      assert.deepStrictEqual(story.hears("alice: hi").take().shown, ["alice: hi ✓"])
      assert.deepStrictEqual(story.lost().take().shown, ["✗ not delivered: there (the connection was lost, and nobody knows whether it arrived)"])
    }
  })

  it("is over when the name is refused, and when the server does not want us any more", () => {
    const refused = (line: string) => new Story().connected().hears("CAPS ack resume history", line).conversation.phase
    assert.deepStrictEqual(refused("ERR name-taken alice is here already"), { _tag: "Over", refused: "name", why: "alice is here already" })
    assert.deepStrictEqual(refused("ERR full come back later"), { _tag: "Over", refused: "other", why: "come back later" })
    for (const reason of ["idle", "shutdown"]) {
      const story = live().hears(`ERR ${reason} goodbye`).lost()
      assert.deepStrictEqual(story.conversation.phase, { _tag: "Over", refused: undefined, why: "goodbye" })
    }
  })

  it("tries again where its own name is still taken by the connection that was lost", () => {
    const story = live().lost().connected().hears("CAPS ack", "ERR name-taken alice is here already")
    assert.deepStrictEqual(story.conversation.phase, { _tag: "Useless", why: "alice is here already" })
  })

  it("shows other errors, and goes on", () => {
    const story = live().hears("ERR flood not so fast", "-- a reply").overlongLine()
    assert.deepStrictEqual(story.take().shown, ["!! not so fast", "-- a reply", "!! a line was left out: it was too long"])
    assert.strictEqual(story.phase, "Live")
  })

  it("never sends two lines for one, nor an empty one", () => {
    const story = live().types("two\r\nlines\nQUIT", "", "   ")
    assert.deepStrictEqual(story.take().sent, ["MSG m-1 two lines QUIT"])
    assert.lengthOf(story.conversation.outbox, 1)
  })

  it("tells at the end what was not delivered, but not what was said already", () => {
    const story = live().types("one", "two").hears("SEQ 2 alice: one")
    assert.deepStrictEqual(story.over().take().shown, ["alice: one ✓", "✗ not delivered: two (the conversation is over)"])
  })

  it("stands answers that make no sense", () => {
    const story = live().hears("ACK unknown", "NAK unknown flood x", "NAK", "ACK", "SEQ", "TOKEN", "HISTORY x", "PAST x", "RESUMED", "CAPS", "ERR", "", " ", "\u0000")
    story.types("still here").passes(1)
    assert.include(story.take().sent, "MSG m-1 still here")
  })
})

describe("chat/client/Look", () => {
  it("gives times on the screen, and none in a pipe", () => {
    const at = Date.UTC(2026, 0, 2, 3, 4)
    const expected = new Date(at)
    const time = [expected.getHours(), expected.getMinutes()].map((n) => String(n).padStart(2, "0")).join(":")
    const shown = { _tag: "Chat", at, line: "bob: hi", delivered: true } as const
    assert.strictEqual(textOf(onScreen(shown, "alice", 0)), `${time} bob: hi ✓`)
    assert.deepStrictEqual(inPipe(shown), { text: "bob: hi", isError: false })
    assert.isTrue(inPipe({ _tag: "Failed", text: "x", why: "y" }).isError)
  })

  it("shows at most a few of many messages that wait", () => {
    const story = live().lost().types(..."abcdefg")
    assert.deepStrictEqual(story.pending, ["○ a", "○ b", "○ c", "… and 4 more"])
  })
})

describe("chat/client/Options", () => {
  it("reads what it takes, and says in one line what it does not", () => {
    assert.deepStrictEqual(parse([]), { _tag: "Run", options: { host: "127.0.0.1", port: 8000, name: undefined, giveUpMillis: 60_000 } })
    assert.deepStrictEqual(parse(["--host", "::1", "--port", "81", "--name", "Ünï", "--give-up", "2m"]), {
      _tag: "Run",
      options: { host: "::1", port: 81, name: "Ünï", giveUpMillis: 120_000 }
    })
    assert.deepStrictEqual(parse(["--help"]), { _tag: "Help" })
    for (const [args, says] of [
      [["--port", "0"], /--port takes/],
      [["--port", "x"], /--port takes/],
      [["--name", "two words"], /--name takes one word, got "two words"/],
      [["--give-up", "soon"], /--give-up takes a time/],
      [["--nmae", "x"], /nmae/],
      [["extra"], /extra/]
    ] as const) {
      const parsed = parse(args)
      assert.strictEqual(parsed._tag, "Mistake")
      assert.match(parsed._tag === "Mistake" ? parsed.message : "", says)
      assert.notInclude(parsed._tag === "Mistake" ? parsed.message : "\n", "\n")
    }
  })
})
