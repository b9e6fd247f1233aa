/** What the two sides of a thread say to each other. */
import type { MessagePort } from "node:worker_threads"
import type { Thrown } from "./Thrown.ts"

/** What a thread is born with. */
export interface ThreadData {
  /** One number: the id of the job that was cancelled last. Shared, because a busy thread hears no messages. */
  readonly cancelled: Int32Array<SharedArrayBuffer>
}

/** A job, as it is sent to the thread that runs it. */
export interface JobMessage {
  /** Counts from 1 in each thread. */
  readonly id: number
  /** What to import. */
  readonly url: string
  /** The exported function. */
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  /** By which it calls back, if somebody answers. */
  readonly line: LineEnd | undefined
}

/** How a job ended, as its thread tells it. */
export type JobAnswer =
  | { readonly _tag: "Returned"; readonly value: unknown }
  /** The value waits in the port: it was moved, and not copied. */
  | { readonly _tag: "Moved"; readonly port: MessagePort }
  | {
    readonly _tag: "Threw"
    readonly thrown: Thrown
    /** Not by the function itself: by something that it had left to run. The thread is not to be used again. */
    readonly beside: boolean
  }
  | { readonly _tag: "NotCloneable"; readonly thrown: Thrown }
  | { readonly _tag: "NotLoaded"; readonly thrown: Thrown }
  | { readonly _tag: "NotThere"; readonly found: string; readonly functions: ReadonlyArray<string> }

/** Something that a job had left to run failed after the job had ended. */
export interface StrayMessage {
  readonly _tag: "effect-nursery/Stray"
  readonly thrown: Thrown
  /** The job that left it, if that is known. */
  readonly job: string | undefined
}

/** The thread's end of the line on which a job calls back. */
export interface LineEnd {
  readonly port: MessagePort
  /** Two numbers, see the constants below. */
  readonly state: Int32Array<SharedArrayBuffer>
}

/** Counts what the loop has said: a thread that waits for the next word sleeps on this number. */
export const wordsIndex = 0
/** 1 when nobody answers any more. */
export const overIndex = 1

export interface CallMessage {
  readonly id: number
  readonly name: string
  readonly args: ReadonlyArray<unknown>
}

export type CallFailure = "failed" | "died" | "notOffered" | "notCloneable"

export type LineMessage =
  | { readonly _tag: "Value"; readonly id: number; readonly value: unknown }
  | { readonly _tag: "Failed"; readonly id: number; readonly why: CallFailure; readonly thrown: Thrown | undefined }
  | { readonly _tag: "Over" }
