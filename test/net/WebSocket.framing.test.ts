import { Stream } from "effect"
import type { WebSocket } from "effect-nursery/net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type FramingCase, groups } from "./framingViolations.ts"
import { closeFrame, codeIn, type Frame, opcodes, RawPeer } from "./rawWebSocket.ts"
import { type Running, serving } from "./webSocketServer.ts"

const echo = (stream: WebSocket.ServerStream) => Stream.runForEach(stream.messages, (message) => stream.send(message))

let server: Running
let over = () => {}
let ended: Promise<void>

beforeAll(() =>
  new Promise<void>((resolve, reject) => {
    ended = serving(echo, {}, (running) => {
      server = running
      resolve()
      return new Promise((end) => over = end)
    })
    ended.catch(reject)
  })
)
afterAll(() => {
  over()
  return ended
})

const same = (got: Frame, { opcode, payload }: FramingCase["back"][number]): boolean =>
  got.fin && got.opcode === opcode && got.payload.equals(Buffer.from(payload as string))

const run = async ({ back, pieces, send, closes }: FramingCase): Promise<void> => {
  const peer = await RawPeer.open(server.port)
  const bytes = Buffer.concat(send)
  // What the server refuses it does not read to the end, and may reset the connection while we still write.
  const sent = pieces === undefined ? peer.send(bytes) : peer.sendInPieces(bytes, pieces).catch(() => {})
  if (closes === undefined) {
    await sent
    for (const expected of back) assert.isTrue(same(await peer.frame(), expected), "a frame that comes back is what was sent")
    peer.send(closeFrame(1000))
    assert.strictEqual(codeIn(await peer.frame()), 1000)
  } else {
    const { code, frames } = await peer.framesUntilClose()
    assert.strictEqual(code, closes)
    assert.strictEqual(frames.length, back.length)
    for (const [i, expected] of back.entries()) assert.isTrue(same(frames[i]!, expected), "a frame that comes back is what was sent")
    if (pieces === undefined) peer.send(closeFrame(code === 1005 ? undefined : code))
  }
  await peer.ended()
  assert.strictEqual(peer.bytesWaiting, 0, "nothing comes after the close")
}

describe("an echo endpoint keeps to RFC 6455 (W01)", () => {
  for (const [group, cases] of Object.entries(groups)) {
    describe(group, () => {
      for (const each of cases) it(`${each.id}: ${each.what}`, () => run(each))
    })
  }

  it("and still serves", async () => {
    const peer = await RawPeer.open(server.port)
    peer.send(closeFrame(1000))
    const { code, opcode } = await peer.frame().then((frame) => ({ opcode: frame.opcode, code: codeIn(frame) }))
    assert.deepStrictEqual({ opcode, code }, { opcode: opcodes.close, code: 1000 })
    await peer.ended()
  })
})
