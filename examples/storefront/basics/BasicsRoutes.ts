/** The first routes. */
import { Clock, Context, Effect } from "effect"
import { Api } from "../Api.ts"
import { group } from "../http/Group.ts"

/** What all requests share: made once, when the application starts. */
export class Shared extends Context.Service<Shared, Readonly<Record<string, string>>>()("storefront/Shared") {}

/** What `/hello` says. It never changes, so the server prepares the whole answer (http/StaticRoutes.ts). */
export const hello = "Hello, World!"

export const BasicsRoutes = group(Api, "basics", Effect.fnUntraced(function*(handlers) {
  const shared = yield* Shared
  return handlers.handleAll({
    hello: () => Effect.succeed(hello),
    greet: ({ payload }) => Effect.succeed(`Hello, ${payload.name}!`),
    helloName: ({ params }) => Effect.succeed(`Hello, ${params.name}!`),
    time: () => Effect.map(Clock.currentTimeNanos, timeOf),
    // Sleeps as long as a slow service would take. Other requests go on meanwhile.
    slow: () => Effect.as(Effect.sleep("1 second"), "That took a second."),
    shared: () => Effect.succeed(shared),
    readItem: ({ params, query }) => Effect.succeed({ item_id: params.item_id, q: query.q ?? null }),
    createItem: ({ payload }) => Effect.succeed(payload)
  })
}))

/** In UTC, with microseconds. */
const timeOf = (nanos: bigint) => {
  const now = new Date(Number(nanos / 1_000_000n))
  const micros = String(nanos / 1000n % 1_000_000n).padStart(6, "0")
  return { month: now.getUTCMonth() + 1, day: now.getUTCDate(), time: `${now.toISOString().slice(11, 19)}.${micros}` }
}
