/** What two ends of a connection tell each other, and what carries it. */
export type Message =
  | { readonly _tag: "Data"; readonly bytes: Uint8Array }
  /** So many bytes have been received by a task, so as many more may be sent. */
  | { readonly _tag: "Taken"; readonly bytes: number }
  /** Nothing more will be sent. */
  | { readonly _tag: "End" }
  /** Nobody will receive any more: data came to an end that was closed. */
  | { readonly _tag: "Refused" }
  /** The connection is no more. */
  | { readonly _tag: "Reset"; readonly cause: unknown }

/** One direction of a connection. What it carries arrives in order, if it arrives. */
export interface Wire {
  carry(message: Message): void
}

/** Where a wire ends. */
export interface WireEnd {
  arrived(message: Message): void
}

/** Carries at once. */
export class DirectWire implements Wire {
  to: WireEnd | undefined = undefined

  carry(message: Message): void {
    this.to?.arrived(message)
  }
}
