/**
 * Where letters go. This shop has no mail server: a letter is a line in the log. Provide another `Mail` to send them.
 */
import { Context, Data, Effect } from "effect"

export interface Letter {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** The letter could not be sent now. */
export class MailFailed extends Data.TaggedError("MailFailed")<{ readonly why: string }> {
  override get message(): string {
    return this.why
  }
}

export interface Mail {
  readonly send: (letter: Letter) => Effect.Effect<void, MailFailed>
}

export const Mail = Context.Reference<Mail>("storefront/Mail", {
  defaultValue: () => ({ send: ({ subject, to }) => Effect.annotateLogs(Effect.logInfo("a letter was sent"), { to, subject }) })
})
