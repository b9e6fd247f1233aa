import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Everything is tested from src/, through the same condition that `npm run example` uses.
// Vitest reads it from `ssr.resolve`; `resolve.conditions` is for code that is bundled for a browser.
const conditions = ["effect-nursery:source", "node"]

// Hundreds of tests start programs. What Node has made of a file once, it need not make again: that halves their start.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url))

const minutes = (n: number) => n * 60_000

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    // `npm test` is all but stress; `npm run test:long` is stress alone.
    passWithNoTests: true,
    // Many tests wait for other processes, so no core is kept free for the runner itself, and three files share two cores.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    coverage: { provider: "v8", include: ["src/**"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          // No test takes that long, but a machine may be busy with something else.
          testTimeout: minutes(0.5),
          exclude: ["test/docs/**", "test/examples/**", "test/conformance/**", "test/stress/**"]
        }
      },
      {
        extends: true,
        test: {
          name: "docs",
          include: ["test/docs/**/*.test.ts"],
          globalSetup: ["test/docs/setup.ts"],
          testTimeout: minutes(1),
          hookTimeout: minutes(3)
        }
      },
      {
        extends: true,
        test: {
          name: "examples",
          include: ["test/examples/**/*.test.ts"],
          testTimeout: minutes(1)
        }
      },
      {
        extends: true,
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          testTimeout: minutes(2)
        }
      },
      {
        extends: true,
        test: {
          name: "stress",
          include: ["test/stress/**/*.test.ts"],
          testTimeout: minutes(10),
          // One load at a time: two would measure each other.
          fileParallelism: false
        }
      }
    ]
  }
})
