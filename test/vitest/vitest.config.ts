// For the tests that index.test.ts runs in a vitest of their own: most of them must fail.
import * as path from "node:path"
import { defineConfig } from "vitest/config"

export default defineConfig({
  root: path.resolve(import.meta.dirname, "../.."),
  ssr: { resolve: { conditions: ["effect-nursery:source", "node"] } },
  test: { include: ["test/vitest/fixtures/*.ts", "examples/vitest/*.test.ts"] }
})
