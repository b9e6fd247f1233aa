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

  it("gives buffers that nobody can transfer to a thread: others have a part of the same memory", () => {
    const [mine, other] = [take(8).fill(1), take(8).fill(2)]
    assert.throws(() => structuredClone(mine, { transfer: [mine.buffer as ArrayBuffer] }))
    assert.deepStrictEqual([...other], Array(8).fill(2))
  })

  it("keeps no more alive for a small buffer than Node does", () => {
    for (const size of [0, 1, 4096, mostBytes]) assert.isAtMost(take(size).buffer.byteLength, Buffer.poolSize)
  })
})
