/**
 * Makes `effect-nursery` mean this repository for the files in bench/ (`node --import`).
 *
 * bench/ has a package.json of its own for what it compares with, and a package can name itself only
 * from inside its own folder tree. `BENCH_LIBRARY` names another build of the library instead.
 */
import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"

const library = process.env.BENCH_LIBRARY === undefined
  ? new URL("../../package.json", import.meta.url)
  : pathToFileURL(`${process.env.BENCH_LIBRARY}/package.json`)

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "effect-nursery" || specifier.startsWith("effect-nursery/")
      ? next(specifier, { ...context, parentURL: library.href })
      : next(specifier, context)
})
