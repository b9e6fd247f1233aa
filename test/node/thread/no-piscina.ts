/** As if piscina were not installed. */
import { registerHooks } from "node:module"

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier !== "piscina") return next(specifier, context)
    throw Object.assign(new Error(`Cannot find package 'piscina' imported from ${context.parentURL}`), { code: "ERR_MODULE_NOT_FOUND" })
  }
})

const { Effect } = await import("effect")
const { Thread } = await import("effect-nursery/node")
console.log("loaded")
await Effect.runPromise(Effect.provide(Effect.void, Thread.layer())).catch((error: unknown) => console.log(String(error)))
