/** The format of the corpus: small concurrent programs with the trace that Trio or asyncio made of them. */

export type Outcome = "ok" | "cancelled" | { readonly errors: ReadonlyArray<string>; readonly cancelled?: true }

export type TraceEvent = ReadonlyArray<unknown>

/** The events of each task, in order. */
export type Trace = { readonly [task: string]: ReadonlyArray<TraceEvent> }

export type Body = ReadonlyArray<Statement>

/** One statement. Which fields it has depends on `op`; see README.md beside this file. */
export interface Statement {
  readonly op: string
  readonly body?: Body
  readonly [field: string]: unknown
}

export interface Child {
  readonly task: string
  readonly body: Body
}

export interface Program {
  readonly events?: ReadonlyArray<string>
  readonly channels?: { readonly [name: string]: number | "inf" }
  readonly resources?: { readonly [name: string]: { readonly kind: "limiter" | "semaphore" | "lock"; readonly n?: number } }
  readonly scopes?: ReadonlyArray<string>
  readonly body: Body
}

export interface Scenario {
  readonly id: string
  readonly engine: "trio" | "asyncio"
  readonly title?: string
  readonly tags: ReadonlyArray<string>
  readonly program: Program
  readonly trace: Trace
}

/** Every statement of a body, those inside it too. */
export const statements = function*(body: Body): Generator<Statement> {
  for (const statement of body) {
    yield statement
    for (const field of ["body", "handler", "finally"]) {
      const inner = statement[field]
      if (Array.isArray(inner)) yield* statements(inner as Body)
    }
    for (const child of (statement["children"] ?? []) as ReadonlyArray<Child>) yield* statements(child.body)
  }
}
