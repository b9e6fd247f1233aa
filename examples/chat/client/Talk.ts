/**
 * The conversation between its tasks: the one that reads from the server, the one that writes to it, the one that listens to
 * the user, and the clock. Each tells it what has happened; it prints what is to be shown, and keeps what is to be sent.
 */
import { Clock, Effect } from "effect"
import { Watch } from "effect-nursery"
import { line } from "../../terminal/Line.ts"
import type { Terminal } from "../../terminal/Terminal.ts"
import { Conversation, type Reaction, type Settings } from "./Conversation.ts"
import { inPipe, notesOf, onScreen } from "./Look.ts"

export class Talk {
  readonly conversation: Conversation
  readonly terminal: Terminal
  /** Counts what has happened. Who waits for something looks again at each change. */
  private readonly happened: Watch.Watch<number>
  /** Lines for the server that are not sent yet. */
  private unsent: Array<string> = []
  /** After these lines nothing more will be sent. */
  leaving = false
  private status = ""
  private prompt = ""

  constructor(conversation: Conversation, terminal: Terminal, happened: Watch.Watch<number>) {
    this.conversation = conversation
    this.terminal = terminal
    this.happened = happened
  }

  /** Something happens in the conversation. */
  react(happens: () => Reaction): Effect.Effect<void> {
    return Effect.suspend(() => {
      // Kept in the same step, so that what two tasks say cannot change places.
      const { send, show } = happens()
      this.unsent.push(...send)
      const { name } = this.conversation
      const prints = show.length === 0 ? Effect.void : Effect.flatMap(Clock.currentTimeMillis, (now) =>
        this.terminal.interactive
          ? this.terminal.print(...show.map((shown) => onScreen(shown, name, now)))
          : Effect.forEach(show.map(inPipe), ({ isError, text }) =>
            isError ? this.terminal.complain(line(text)) : this.terminal.print(line(text)), { discard: true }))
      return Effect.andThen(prints, this.refresh)
    })
  }

  /** Says what is the matter with the connection: nothing, when it is empty. */
  setStatus(status: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.status = status
      return this.refresh
    })
  }

  /** Nothing that was meant for a connection before is sent over this one. */
  forgetUnsent(): void {
    this.unsent = []
  }

  /** What is to be sent now. */
  takeUnsent(): ReadonlyArray<string> {
    return this.unsent.splice(0)
  }

  get hasUnsent(): boolean {
    return this.unsent.length > 0
  }

  /** The last words to the server. */
  leave(words: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.unsent.push(...words)
      this.leaving = true
      return this.refresh
    })
  }

  /** Waits until this is so. */
  until(holds: (talk: this) => boolean): Effect.Effect<void> {
    return Effect.asVoid(this.happened.waitUntil(() => holds(this)))
  }

  /** Waits until something happens. */
  get nextChange(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const seen = this.happened.get
      return Effect.asVoid(this.happened.waitUntil((now) => now !== seen))
    })
  }

  private get refresh(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { conversation, terminal } = this
      const prompt = `${conversation.name}> `
      const prompts = prompt === this.prompt ? Effect.void : terminal.prompt(line(prompt, "bold"))
      this.prompt = prompt
      return prompts.pipe(
        Effect.andThen(terminal.notes(notesOf(conversation, this.status))),
        Effect.andThen(this.happened.update((n) => n + 1)),
        Effect.asVoid
      )
    })
  }
}

export const make = (name: string, terminal: Terminal, settings: Settings): Effect.Effect<Talk> =>
  Effect.map(Watch.make(0, { name: "conversation" }), (happened) => new Talk(new Conversation(name, settings), terminal, happened))
