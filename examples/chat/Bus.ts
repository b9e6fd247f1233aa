/**
 * The one way in which users hear of each other: names, rooms, presence and everything that is said go over it.
 *
 * The bus puts all that happens in one order, and delivers it to each server process in that order. With the bus in
 * memory (MemoryBus.ts) there is one process. A bus that several processes share must keep the same promises:
 *
 * - A name belongs to one user at a time, compared by its key, in all processes.
 * - What a method has answered is stored: whoever attaches, resumes or asks for the history later sees it.
 * - Everything that happens gets a `seq`, which ascends, and is delivered to all attached processes in that order, each
 *   thing once. A process may see it before or after the method that caused it has answered; only `join` and `resume` answer
 *   when it has been delivered here, because what comes behind it is for the newcomer.
 * - What one user says in several calls, one after the other, has that order.
 * - A line with an id that this user has said already is answered as if it had been stored just now, and not stored again.
 *   At least the last 1,000 ids of a user count.
 * - When a process dies, its users leave (`Left` is delivered to the others) within seconds, or when the time is over in
 *   which they might have resumed.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Nursery from "effect-nursery/Nursery"
import type { Name } from "./Names.ts"

/** The place of something in the order. One word; only a bus can tell which of two comes first. */
export type Seq = string

/** Known to one user and to the servers: who has it may resume. It tells users apart, also after they have changed names. */
export type Token = string

/** What happens. `name` is the user's as it is shown at that time, `room` the room in which the others hear of it. */
export type Event =
  | { readonly _tag: "Joined"; readonly token: Token; readonly name: string; readonly room: string; readonly online: number }
  | { readonly _tag: "Said"; readonly token: Token; readonly name: string; readonly room: string; readonly text: string }
  | { readonly _tag: "Acted"; readonly token: Token; readonly name: string; readonly room: string; readonly text: string }
  | { readonly _tag: "Whispered"; readonly token: Token; readonly name: string; readonly to: Token; readonly text: string }
  | { readonly _tag: "Renamed"; readonly token: Token; readonly name: string; readonly room: string; readonly old: string }
  | { readonly _tag: "Moved"; readonly token: Token; readonly name: string; readonly room: string; readonly from: string }
  /** The user's connection is a new one from here on: the one that gave `by`, at whichever process. */
  | { readonly _tag: "Resumed"; readonly token: Token; readonly name: string; readonly room: string; readonly by: string }
  | { readonly _tag: "Left"; readonly token: Token; readonly name: string; readonly room: string }

export type EventOf<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>

export interface Stored<out E extends Event = Event> {
  readonly seq: Seq
  /** Milliseconds of Unix time. */
  readonly at: number
  readonly event: E
}

/** Something to be said in the user's room. */
export interface Line {
  /** By which a line that is sent again is known. */
  readonly id: string | undefined
  readonly manner: "Said" | "Acted"
  readonly text: string
}

/** Somebody else has the name. */
export class NameTaken extends Data.TaggedError("NameTaken")<{ readonly name: string }> {}

/** Nobody has the name. */
export class NoSuchUser extends Data.TaggedError("NoSuchUser")<{ readonly name: string }> {}

/** Nobody can resume with this token: it never was one, or its time is over. */
export class TokenUnknown extends Data.TaggedError("TokenUnknown") {}

/** The bus cannot be reached, and has not stored what it was asked to. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause?: unknown }> {}

/** What has been missed, as much of it as is still known. */
export interface Missed {
  /** The user's room at the beginning of it. */
  readonly room: string
  /** Whether it begins where it was asked to begin. */
  readonly isComplete: boolean
  readonly events: ReadonlyArray<Stored>
}

export interface Bus {
  /**
   * A server process takes part, as a task for as long as it runs: `deliver` is called with all that happens from the time
   * of `started` on. It must not throw.
   */
  attach(deliver: (events: ReadonlyArray<Stored>) => void): Nursery.Startable<void, void, Unavailable, never>
  /**
   * A new user, with a token that the server has made. The event `Joined` says how many are online then. When the process
   * dies, those who may resume keep their names for the time in which they can do so at another one.
   */
  join(user: { readonly token: Token; readonly name: Name; readonly room: string; readonly mayResume: boolean }): Effect.Effect<Stored<EventOf<"Joined">>, NameTaken | Unavailable>
  /** The user is gone for good. Their name is free. Again does nothing. When it fails, it is done as soon as it can be. */
  leave(token: Token): Effect.Effect<void, Unavailable>
  /** The user's connection is lost. They may come back within so long, here or at another process; if not, `leave` is called by this process, or by whoever finds it dead. */
  away(token: Token, forMillis: number): Effect.Effect<void, Unavailable>
  /** The user is back. `by` is a word that nobody else gives, by which the connection is known in the event. */
  resume(token: Token, by: string): Effect.Effect<Stored<EventOf<"Resumed">>, TokenUnknown | Unavailable>
  /** All that happened after `after`, or since the user joined, and before `before`, in every room. */
  missed(token: Token, after: Seq | undefined, before: Seq): Effect.Effect<Missed, Unavailable>
  /** Says lines in the user's room, all or none of them. */
  say(token: Token, lines: ReadonlyArray<Line>): Effect.Effect<void, Unavailable>
  /** Tells one other user something; answers with the name as it is shown. */
  whisper(token: Token, to: string, text: string, id: string | undefined): Effect.Effect<string, NoSuchUser | Unavailable>
  rename(token: Token, name: Name): Effect.Effect<void, NameTaken | Unavailable>
  /** To another room. To their own it does nothing. */
  move(token: Token, room: string): Effect.Effect<void, Unavailable>
  /** In which room the user is. */
  roomOf(token: Token): Effect.Effect<string, Unavailable>
  /** The names of all users in a room, in order of arrival. */
  who(room: string): Effect.Effect<ReadonlyArray<string>, Unavailable>
  /** How many users are online, in all rooms. */
  readonly online: Effect.Effect<number, Unavailable>
  /** The last so many lines that were said in a room (`Said` and `Acted`), before `before` if that is given; the oldest first. */
  history(room: string, count: number, before?: Seq): Effect.Effect<ReadonlyArray<Stored>, Unavailable>
}
