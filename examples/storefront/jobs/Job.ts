/**
 * Jobs: work that is written down before it is done. A job is done at least once: when a process dies in the middle, another
 * one begins it again. So what a job does has to be right when it is done twice.
 */
import { Data, Effect, Schema } from "effect"

/** A kind of job: what it is called, and what it has to know. */
export interface Kind<P> {
  readonly name: string
  readonly payload: Schema.Codec<P, unknown>
  /** So often it is tried before it is given up. */
  readonly maxAttempts: number
}

/** A job as it is written down. */
export interface NewJob {
  readonly kind: string
  readonly payload: unknown
  readonly maxAttempts: number
}

export const newJob = <P>(kind: Kind<P>, payload: P): NewJob => ({ kind: kind.name, payload: Schema.encodeSync(kind.payload)(payload), maxAttempts: kind.maxAttempts })

/** To try again would not help. */
export class GiveUp extends Data.TaggedError("GiveUp")<{ readonly why: string }> {
  override get message(): string {
    return this.why
  }
}

/** Does the jobs of one kind. */
export interface Handler {
  readonly kind: string
  readonly run: (payload: unknown) => Effect.Effect<void, unknown>
}

export const handler = <P, E>(kind: Kind<P>, run: (payload: P) => Effect.Effect<void, E>): Handler => ({
  kind: kind.name,
  run: (payload) =>
    Effect.flatMap(
      // What is in the table may have been written by an older program.
      Effect.mapError(Schema.decodeUnknownEffect(kind.payload)(payload), (error) => new GiveUp({ why: `the payload is not of the kind ${kind.name}: ${error.message}` })),
      run
    )
})
