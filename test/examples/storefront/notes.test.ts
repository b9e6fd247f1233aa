import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { json } from "./asking.ts"
import { databases, openShop, type ShopWithSql } from "./databases.ts"
import { startShop } from "./shop.ts"

for (const [name, server] of databases) {
  describe(`notes on ${name}`, { timeout: 60_000 }, () => {
    let shop: ShopWithSql

    beforeAll(async () => {
      shop = await openShop(server)
    }, 60_000)

    afterAll(() => shop.stop())

    const post = async (body: unknown) => {
      const answer = await shop.fetch("/notes/", json(body))
      return { status: answer.status, body: await answer.json() as any }
    }

    it("writes notes, and lists them in their order (S2-7.3.7)", async () => {
      assert.deepStrictEqual(await post({ text: "buy milk", completed: false }), { status: 200, body: { id: 1, text: "buy milk", completed: false } })
      assert.deepStrictEqual((await post({ text: "call Grace", completed: true })).body, { id: 2, text: "call Grace", completed: true })
      assert.deepStrictEqual(await (await shop.fetch("/notes/")).json(), [{ id: 1, text: "buy milk", completed: false }, { id: 2, text: "call Grace", completed: true }])
      assert.deepStrictEqual((await (await shop.fetch("/notes")).json() as Array<unknown>).length, 2)
      const page = await shop.fetch("/notes/?limit=1")
      assert.strictEqual(page.headers.get("link"), "</notes/?limit=1&after=1>; rel=\"next\"")
    })

    it("refuses what is no note, and stores a text exactly (D07, H09)", async () => {
      for (const wrong of [{}, { text: "a" }, { text: 1, completed: false }, { text: "a", completed: "no" }, { text: "a\0b", completed: false }, "{\"text\":\"\\ud800\",\"completed\":false}"]) assert.strictEqual((await post(wrong)).status, 400)
      assert.strictEqual((await post({ text: "z".repeat(10_000_000), completed: false })).status, 413)
      const { body } = await post({ id: 1, text: "it's \\ \"\u{1F9EA}\"; drop table note; --", completed: false })
      assert.notStrictEqual(body.id, 1)
      assert.strictEqual((await (await shop.fetch(`/notes/?after=${body.id - 1}`)).json() as Array<any>)[0].text, "it's \\ \"\u{1F9EA}\"; drop table note; --")
    })

    it.skipIf(server === undefined)("keeps notes for the next process (S2-7.3.7)", async () => {
      const next = await startShop({ database: shop.database! })
      await next.ready()
      assert.strictEqual((await (await next.fetch("/notes/?limit=1")).json() as Array<any>)[0].text, "buy milk")
      await next.stop()
    })
  })
}
