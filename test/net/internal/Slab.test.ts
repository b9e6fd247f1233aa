import { assert, describe, it } from "@effect/vitest"
import { mostBytes, take } from "../../../src/net/internal/Slab.ts"

describe("take", () => {
  it("gives buffers of which none reaches into another", () => {
    const sizes = Array.from({ length: 300 }, (_, i) => i * 7919 % (mostBytes + 1))
    const buffers = sizes.map((size, i) => take(size).fill(i % 256))
    buffers.forEach((buffer, i) => {
      assert.strictEqual(buffer.length, sizes[i])
      assert.isTrue(buffer.every((byte) => byte === i % 256))
    })
  })

  it("keeps no more alive for a small buffer than Node does", () => {
    for (const size of [0, 1, 4096, mostBytes]) assert.isAtMost(take(size).buffer.byteLength, Buffer.poolSize)
  })
})
