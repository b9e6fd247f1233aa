/** As if ws were not installed. */
import { registerHooks } from "node:module"

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier !== "ws") return next(specifier, context)
    throw Object.assign(new Error(`Cannot find package 'ws' imported from ${context.parentURL}`), { code: "ERR_MODULE_NOT_FOUND" })
  }
})

const { Effect } = await import("effect")
const { WebSocket } = await import("effect-nursery/net")
console.log("loaded")
const serve = WebSocket.serve(() => Effect.void, { port: 0 })
await Effect.runPromise(serve(() => Effect.void)).catch((error: unknown) => console.log(String(error)))
