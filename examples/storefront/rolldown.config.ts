/**
 * The storefront as a program that is built: a few files of JavaScript that hold all it needs, but for the embedded database.
 *
 * Build it:  npm run build:storefront                      (into examples/storefront/dist)
 * Run it:    node examples/storefront/dist/main.mjs        (--help says what else)
 *
 * From its sources it is six hundred modules, and Node takes the types out of two hundred of them first. In one piece it starts in a fourth
 * of the time and with half of the memory. ../../docs/explain/performance.md has the figures.
 */
import * as path from "node:path"
import { defineConfig } from "rolldown"

const here = (file: string): string => path.join(import.meta.dirname, file)

export default defineConfig({
  // What is started as a process. Workers are main once more.
  input: {
    main: here("main.ts"),
    "pglite-main": here("database/pglite-main.ts"),
    healthcheck: here("operations/healthcheck.ts")
  },
  platform: "node",
  // The first reads files that lie beside its own: WebAssembly, and the empty database. The second is a binary that the client of Redis can use, and does
  // without.
  external: [/^@electric-sql\//, /^@node-rs\//],
  // The library, too, from its sources.
  resolve: { conditionNames: ["effect-nursery:source", "node"] },
  output: {
    dir: here("dist"),
    cleanDir: true,
    // Modules wherever they lie: no package.json has to be beside them. All in one folder, where they find each other (PGliteProcess.ts).
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name]-[hash].mjs",
    // Not made small, so that a stack trace can be read without a map. Node keeps the text of a program in memory, and keeps it twice as large if
    // one character of it is not of the first 256.
    comments: { legal: true, annotation: false, jsdoc: false },
    charset: "ascii",
    // Read by Node with --enable-source-maps only.
    sourcemap: true
  }
})
