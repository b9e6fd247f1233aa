/** What a scenario is, and what it has to work with. A scenario file exports one as its default. */
import { Data, type Duration, type Effect } from "effect"

/** The run is over: no more requests. A turn lets it through, and its user goes home. */
export class Over extends Data.TaggedError("Over")<{}> {}

/** One virtual user: a session of its own, with its own cookies. */
export interface User {
  /** From 1. */
  readonly number: number
  /** Requests a path and reads the answer. A failure is counted, and is no error here. */
  get(path: string, options?: RequestOptions): Effect.Effect<Answer, Over>
  /** Sends JSON to a path. */
  post(path: string, json: unknown, options?: RequestOptions): Effect.Effect<Answer, Over>
  /** Thinks for a while, each time for another one between these. */
  pause(least: Duration.Input, most: Duration.Input): Effect.Effect<void, Over>
}

export interface RequestOptions {
  /** What it is counted under. Default: the method and the path without its query, such as `GET /products`. */
  readonly name?: string
}

/** What came of a request, for scenarios that go on in different ways. */
export type Answer =
  | { readonly _tag: "Answered"; readonly status: number }
  | { readonly _tag: "Failed"; readonly kind: string }

export interface Scenario {
  readonly name: string
  /** What a user does, again and again. */
  readonly turn: (user: User) => Effect.Effect<void, Over>
}

/** Whether a scenario file exports one. */
export const isScenario = (value: unknown): value is Scenario =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" && "turn" in value && typeof value.turn === "function"
