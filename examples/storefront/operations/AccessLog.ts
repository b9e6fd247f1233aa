/**
 * A log line for each request, or for each n-th: a line costs more than a small request does (an answer of `/hello` about
 * twice as much with it as without). What was our fault is always written.
 */
import { type Context, Effect } from "effect"
import type { Answer } from "../http/Answer.ts"
import { pathOf } from "../http/Faults.ts"
import { isLost, statusOf } from "./Requests.ts"

/** Writes with the logger of the context. */
export const accessLog = (context: Context.Context<never>, every: number): (answer: Answer) => void => {
  const run = Effect.runForkWith(context)
  let count = 0
  return (answer) => {
    const status = statusOf(answer)
    const due = count++ % every === 0
    if (due || status >= 500) run(line(answer, status))
  }
}

/** The path without its query, which may hold what does not belong into a log. */
const line = (answer: Answer, status: number): Effect.Effect<void> => {
  const { req: request, requestId, route } = answer
  return Effect.annotateLogs(Effect.logInfo("request"), {
    requestId,
    method: request.method,
    path: pathOf(request.url ?? ""),
    ...(route === undefined ? {} : { route }),
    status,
    millis: Math.round(answer.elapsedMillis * 100) / 100,
    ...(isLost(answer) ? { lost: true } : {})
  })
}
