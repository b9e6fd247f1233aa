/**
 * Bytes to messages: a kitchen takes orders over a stream, which cuts them where it likes.
 *
 * Run it:  npm run example -- examples/learn/framing.ts
 *
 * What you see: the chunks that come out of a stream, which are not what was sent; the same as lines; what becomes of an
 * order that never ends; and of one that is cut off.
 *
 * Then try:
 *   1. Give the stream `maxChunkBytes: 1`, or none at all. Which lines of the output change, and which must not?
 *   2. Use `Framing.lengthPrefixed` on both sides. An order may have several lines now; why?
 *   3. Let the waiter close in the middle of an order (`waiter.send("2 egg")`, then `waiter.close`), with and without
 *      `unfinished: "fail"`. Should the kitchen cook two eggs?
 */
import { Console, Effect, Option, Stream } from "effect"
import { Framing } from "effect-nursery/net"
import { MemoryStream } from "effect-nursery/testing"

// Like a network, but it does the same in each run: it gives 14 bytes at a time.
const table = MemoryStream.pair({ name: "table 4", maxChunkBytes: 14 })

const orders = ["2 tea", "1 soup, no salt", "1 café crème"]

// --- 1. what comes out of a stream ---

const asChunks = Effect.gen(function*() {
  const [waiter, kitchen] = yield* table
  for (const order of orders) yield* waiter.send(`${order}\n`)
  yield* waiter.close

  yield* Console.log("three orders were sent; these chunks came:")
  yield* Stream.runForEach(kitchen.chunks, (bytes) => Console.log(" ", JSON.stringify(new TextDecoder().decode(bytes))))
})

// --- 2. the same as lines ---

// #region lines
const asLines = Effect.gen(function*() {
  const [waiter, kitchen] = yield* table
  const sending = Framing.lines(waiter)
  for (const order of orders) yield* sending.send(order)
  yield* waiter.close

  yield* Console.log("the same as lines:")
  yield* Stream.runForEach(Framing.lines(kitchen).stream, (order) => Console.log(" ", JSON.stringify(order)))
})
// #endregion

// --- 3. somebody who does not keep to the rules ---

// #region limit
const withLimit = Effect.gen(function*() {
  const [waiter, kitchen] = yield* table
  yield* waiter.send(`1 tea with ${"sugar and ".repeat(1000)}milk\n2 eggs\n`)
  yield* waiter.close

  yield* Console.log("with a limit of 40 bytes:")
  const lines = Framing.lines(kitchen, { maxBytes: 40 })
  for (;;) {
    // An order that is too long is an error in the type, so that somebody decides what becomes of it.
    const order = yield* lines.next.pipe(Effect.catchTag("TooLong", (error) => Effect.succeedSome(`refused: ${error.message}`)))
    if (Option.isNone(order)) return
    yield* Console.log(" ", order.value)
  }
})
// #endregion

// --- 4. somebody who is cut off ---

// #region cut
const cutOff = Effect.gen(function*() {
  const [waiter, kitchen] = yield* table
  const sending = Framing.lengthPrefixed(waiter)
  yield* sending.send(new TextEncoder().encode("2 tea"))
  // The length of the second order, and half of it.
  yield* waiter.send(Uint8Array.of(0, 0, 0, 6, 50, 32, 101))
  yield* waiter.close

  yield* Console.log("with a length before each order, and the waiter gone in the middle of the second:")
  yield* Stream.runForEach(Framing.lengthPrefixed(kitchen).stream, (bytes) => Console.log(" ", new TextDecoder().decode(bytes)))
}).pipe(Effect.catchTag("Broken", (error) => Console.log(" ", error.message)))
// #endregion

await Effect.runPromise(Effect.all([asChunks, asLines, withLimit, cutOff], { discard: true }))
