/** Prints what a job loads by importing its side of `Thread`. */
import { registerHooks } from "node:module"

const loaded: Array<string> = []
registerHooks({
  load: (url, context, next) => {
    loaded.push(url)
    return next(url, context)
  }
})

await import("effect-nursery/node/FromThread")
console.log(JSON.stringify(loaded))
