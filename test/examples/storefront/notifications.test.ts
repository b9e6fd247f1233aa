import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { type Letter, type Mail, MailFailed } from "../../../examples/storefront/notifications/Mail.ts"
import { eventually, json } from "./asking.ts"
import { nowhere, type Shop, startShop } from "./shop.ts"

/** A shop that sends letters as the test says, and needs no database for it. */
const withShop = async (send: Mail["send"], use: (shop: Shop) => Promise<void>) => {
  const shop = await startShop({ database: nowhere, mail: { send } })
  try {
    await use(shop)
  } finally {
    await shop.stop()
  }
}

const notify = (shop: Shop, init: RequestInit = {}, message = "hello") =>
  shop.fetch("/send-notification/", { ...json({ email: "ada@shop.example", message }), ...init })

/** A post office that takes letters in, and sends them when it is opened. */
const postOffice = () => {
  const sent: Array<string> = []
  const waiting: Array<string> = []
  let open!: () => void
  const opened = new Promise<void>((resolve) => open = resolve)
  const send = ({ text }: Letter) =>
    Effect.promise(async () => {
      waiting.push(text)
      await opened
      sent.push(text)
    })
  return { sent, waiting, open, send }
}

describe("work after the answer", () => {
  it("writes a line into the log after the answer (S2-7.3.6, HA22)", async () => {
    const shop = await startShop({ database: nowhere })
    const answer = await notify(shop)
    assert.strictEqual(answer.status, 202)
    assert.deepStrictEqual(await answer.json(), { message: "The notification will be sent." })
    const line = await eventually(() => shop.logs.find(({ message }) => JSON.stringify(message).includes("a letter was sent")), "the line is there")
    assert.strictEqual(line.message, "a letter was sent")
    assert.deepInclude(line.annotations, { to: "ada@shop.example", subject: "A message of the shop" })
    await shop.stop()
  })

  it("answers before the letter is sent (S2-7.3.6, HA22)", async () => {
    const { open, send, sent, waiting } = postOffice()
    await withShop(send, async (shop) => {
      assert.strictEqual((await notify(shop)).status, 202)
      assert.deepStrictEqual(sent, [])
      await eventually(() => waiting.length === 1 || undefined, "the letter is there")
      open()
      await eventually(() => sent.length === 1 || undefined, "the letter is sent")
    })
  })

  it("sends the letter of a client that has gone (S2-7.3.6, HA22, H22)", async () => {
    const { open, send, sent, waiting } = postOffice()
    await withShop(send, async (shop) => {
      const client = new AbortController()
      const answer = notify(shop, { signal: client.signal }).catch(() => {})
      await eventually(() => waiting.length === 1 || undefined, "the letter is there")
      client.abort()
      await answer
      open()
      await eventually(() => sent.length === 1 || undefined, "the letter is sent")
    })
  })

  it("waits for letters when it is asked to stop (HA22, H22)", async () => {
    const { open, send, sent, waiting } = postOffice()
    const shop = await startShop({ database: nowhere, mail: { send } })
    for (const n of ["one", "two", "three"]) await notify(shop, {}, n)
    await eventually(() => waiting.length === 3 || undefined, "the letters are there")
    const stopped = shop.stop(30_000)
    // Nobody is let in any more: the stop is under way.
    await eventually(async () => await shop.fetch("/hello").then(() => undefined, () => true), "the shop is closed")
    assert.deepStrictEqual(sent, [])
    open()
    await stopped
    assert.deepStrictEqual(sent.toSorted(), ["one", "three", "two"])
  })

  it("cancels letters that take longer than the grace, and says so (H22)", async () => {
    let cancelled = 0
    const shop = await startShop({ database: nowhere, mail: { send: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void cancelled++)) } })
    await notify(shop)
    await notify(shop)
    await shop.stop(50)
    assert.strictEqual(cancelled, 2)
    assert.strictEqual(shop.logs.filter(({ level, message }) => level === "WARN" && String(message) === "the background task \"notification\" was cut off").length, 2)
  })

  it("logs a failure once, and goes on (HA22, H22)", async () => {
    const sent: Array<string> = []
    const send = ({ text }: Letter) => text === "bad" ? Effect.fail(new MailFailed({ why: "no such mailbox" })) : Effect.sync(() => void sent.push(text))
    await withShop(send, async (shop) => {
      assert.strictEqual((await notify(shop, {}, "bad")).status, 202)
      assert.strictEqual((await notify(shop, {}, "good")).status, 202)
      await eventually(() => sent.length === 1 || undefined, "the good letter is sent")
      const errors = await eventually(() => {
        const errors = shop.logs.filter(({ level }) => level === "ERROR")
        return errors.length > 0 ? errors : undefined
      }, "the failure is logged")
      assert.strictEqual(errors.length, 1)
      assert.include(String(errors[0]!.message), "\"notification\"")
      assert.include(String(errors[0]!.cause), "no such mailbox")
    })
  })

  it("refuses what is no address before anything is started", async () => {
    const { send, waiting } = postOffice()
    await withShop(send, async (shop) => {
      for (const email of ["", "ada", "ada@shop.example\nBcc: eve@evil.example"]) assert.strictEqual((await shop.fetch("/send-notification/", json({ email }))).status, 400)
      assert.deepStrictEqual(waiting, [])
    })
  })
})
