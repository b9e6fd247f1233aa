import { Effect } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { execute } from "../../support/Postgres.ts"
import { eventually, json } from "./asking.ts"
import { databases, openShop, type ShopWithSql } from "./databases.ts"

const email = "ada@shop.example"

/** An id that has the right form, and that nobody has been given. */
const foreign = "6f1c1f0e-5d3a-4b7e-9c57-2f6f0a0f4f11"

for (const [name, server] of databases) {
  describe(`carts on ${name}`, { timeout: 60_000 }, () => {
    let shop: ShopWithSql

    beforeAll(async () => {
      shop = await openShop(server)
    }, 60_000)

    afterAll(() => shop.stop())

    const ask = async (path: string, init?: RequestInit) => {
      const answer = await shop.fetch(path, init)
      const text = await answer.text()
      return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) as any }
    }
    const newCart = async (lines: Readonly<Record<number, number>> = {}): Promise<string> => {
      const { body, status } = await ask("/carts", { method: "POST" })
      assert.strictEqual(status, 201)
      for (const [product, quantity] of Object.entries(lines)) assert.strictEqual((await put(body.cart_id, product, { quantity })).status, 200)
      return body.cart_id
    }
    /** Many of them, each with one of a product. */
    const newCarts = async (count: number, product: number): Promise<ReadonlyArray<string>> =>
      (await shop.sql(`
        with made as (insert into cart (state) select 'open' from generate_series(1, ${count}) returning cart_id),
             filled as (insert into cart_line (cart_id, product_id, quantity) select cart_id, ${product}, 1 from made)
        select cart_id from made`)).map(({ cart_id }) => cart_id)
    const put = (cart: string, product: number | string, body: unknown) => ask(`/carts/${cart}/lines/${product}`, json(body, "PUT"))
    const checkout = (cart: string, body: unknown = { email }) => ask(`/carts/${cart}/checkout`, json(body))
    const stockOf = async (product: number) => (await shop.sql(`select quantity from stock where product_id = ${product}`))[0]?.quantity as number
    const setStock = (product: number, quantity: number) => shop.sql(`update stock set quantity = ${quantity} where product_id = ${product} returning 1`)
    const jobDone = (id: string) => eventually(async () => (await ask(`/jobs/${id}`)).body.state === "done" || undefined, "the job is done")

    it("sells what is in a cart: the stock goes down, the order can be read, and its confirmation is sent once (HA22)", async () => {
      const before = await stockOf(10)
      const created = await ask("/carts", { method: "POST" })
      const id = created.body.cart_id
      assert.strictEqual(created.headers.get("location"), `/carts/${id}`)
      assert.deepStrictEqual(created.body, { cart_id: id, state: "open", lines: [], total_cents: 0 })
      await put(id, 10, { quantity: 1 })
      await put(id, 10, { quantity: 3 })
      await put(id, 11, { quantity: 1 })
      await put(id, 12, { quantity: 1 })
      assert.strictEqual((await ask(`/carts/${id}/lines/12`, { method: "DELETE" })).status, 204)
      const lines = [
        { product_id: 10, product_name: "Lamp No. 10", quantity: 3, price_cents: 750 },
        { product_id: 11, product_name: "Chair No. 11", quantity: 1, price_cents: 775 }
      ]
      assert.deepStrictEqual((await ask(`/carts/${id}`)).body, { cart_id: id, state: "open", lines, total_cents: 3025 })
      assert.strictEqual((await ask(`/carts/${id}/order`)).status, 404)

      const bought = await checkout(id, { email, note: "for the hall" })
      assert.strictEqual(bought.status, 201)
      assert.strictEqual(bought.headers.get("location"), `/carts/${id}/order`)
      const { confirmation_job, order_id, ...order } = bought.body
      assert.deepStrictEqual(order, { cart_id: id, lines, total_cents: 3025, note: "for the hall" })
      assert.strictEqual(await stockOf(10), before - 3)
      assert.deepStrictEqual((await ask(`/carts/${id}/order`)).body, bought.body)
      assert.deepStrictEqual((await ask(`/carts/${id}`)).body, { cart_id: id, state: "ordered", lines, total_cents: 3025 })

      await jobDone(confirmation_job)
      const letters = shop.logs.filter(({ annotations }) => annotations["subject"] === `Your order ${order_id}`)
      assert.strictEqual(letters.length, 1)
      assert.match(await (await shop.fetch("/metrics")).text(), /^storefront_job_runs_total\{kind="order-confirmation",result="done"\} \d+$/m)
    })

    it("sells a cart once, however often and at whatever times its client asks", async () => {
      await setStock(20, 50)
      const cart = await newCart({ 20: 2 })
      const first = await Promise.all(Array.from({ length: 20 }, () => checkout(cart)))
      const later = await checkout(cart, { email: "somebody-else@shop.example" })
      const all = [...first, later]
      assert.deepStrictEqual([...new Set(all.map(({ status }) => status))].toSorted(), [200, 201])
      assert.strictEqual(all.filter(({ status }) => status === 201).length, 1)
      assert.strictEqual(new Set(all.map(({ body }) => JSON.stringify(body))).size, 1)
      assert.strictEqual(await stockOf(20), 48)
    })

    it("sells the last item to exactly one of 100 buyers; the others are told 409, and the stock is never negative (D05)", async () => {
      await setStock(30, 1)
      const carts = await newCarts(100, 30)
      const answers = await Promise.all(carts.map((cart) => checkout(cart)))
      const statuses = answers.map(({ status }) => status)
      assert.strictEqual(statuses.filter((status) => status === 201).length, 1)
      assert.strictEqual(statuses.filter((status) => status === 409).length, 99)
      assert.strictEqual(await stockOf(30), 0)
      assert.deepStrictEqual(await shop.sql("select sum(quantity)::int as sold from purchase_line where product_id = 30"), [{ sold: 1 }])
      // Those who got nothing have their cart as it was.
      const loser = carts[statuses.indexOf(409)]!
      assert.strictEqual((await ask(`/carts/${loser}`)).body.state, "open")
    })

    it("sells as much as there is, and no more, to many who buy several things in any order; nobody is sent away for the crowd (D05)", async () => {
      await setStock(31, 16)
      await setStock(32, 16)
      const carts = await Promise.all(Array.from({ length: 24 }, (_, i) => newCart(i % 2 === 0 ? { 31: 1, 32: 1 } : { 32: 1, 31: 1 })))
      const statuses = (await Promise.all(carts.map((cart) => checkout(cart)))).map(({ status }) => status)
      assert.strictEqual(statuses.filter((status) => status === 201).length, 16)
      assert.strictEqual(statuses.filter((status) => status === 409).length, 8)
      assert.deepStrictEqual([await stockOf(31), await stockOf(32)], [0, 0])
    })

    it("sells all of a cart or nothing, and says which lines are too many", async () => {
      await setStock(40, 5)
      await setStock(41, 1)
      const cart = await newCart({ 40: 2, 41: 2 })
      const refused = await checkout(cart)
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(refused.headers.get("content-type"), "application/problem+json")
      assert.deepStrictEqual(refused.body.errors, [{ path: ["lines", "41"], message: "There are not 2 of product 41." }])
      assert.deepStrictEqual([await stockOf(40), await stockOf(41)], [5, 1])
      await put(cart, 41, { quantity: 1 })
      assert.strictEqual((await checkout(cart)).status, 201)
      assert.deepStrictEqual([await stockOf(40), await stockOf(41)], [3, 0])
    })

    it("keeps an ordered cart as it was sold, whatever becomes of its products", async () => {
      const created = await ask("/product", json({ product_name: "Unique", brand_id: 1 }))
      const product = Number(created.headers.get("location")!.slice("/products/".length))
      await shop.sql(`insert into stock values (${product}, 1) returning 1`)
      const cart = await newCart({ [product]: 1 })
      const { body: order } = await checkout(cart)
      assert.strictEqual((await ask(`/products/${product}`, { method: "DELETE" })).status, 204)
      assert.deepStrictEqual((await ask(`/carts/${cart}`)).body.lines, order.lines)
      assert.strictEqual((await put(cart, 1, { quantity: 1 })).status, 409)
      assert.strictEqual((await ask(`/carts/${cart}/lines/${product}`, { method: "DELETE" })).status, 409)
    })

    it("refuses an empty cart, products that do not exist, and quantities that are none", async () => {
      const cart = await newCart()
      assert.strictEqual((await checkout(cart)).status, 409)
      assert.strictEqual((await put(cart, 2_000_000, { quantity: 1 })).status, 404)
      assert.strictEqual((await ask(`/carts/${cart}/lines/1`, { method: "DELETE" })).status, 404)
      for (const quantity of [0, -1, 1001, 1.5, "2", null]) {
        const refused = await put(cart, 1, { quantity })
        assert.strictEqual(refused.status, 400)
        assert.deepStrictEqual(refused.body.errors[0].path, ["body", "quantity"])
      }
      for (const wrong of ["", "ada", "a@b", "ada@shop.example\r\nBcc: eve@evil.example", "a\0@shop.example"]) assert.strictEqual((await checkout(cart, { email: wrong })).status, 400)
      assert.deepStrictEqual((await ask(`/carts/${cart}`)).body.lines, [])
    })

    it("gives a cart only to those who know its id, which cannot be guessed (H08)", async () => {
      const mine = await newCart({ 1: 1 })
      const theirs = await newCart({ 2: 1 })
      for (const id of [mine, theirs]) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.notStrictEqual(mine.slice(0, 8), theirs.slice(0, 8))
      for (const id of [foreign, foreign.toUpperCase()]) {
        const verbs = [ask(`/carts/${id}`), ask(`/carts/${id}/order`), put(id, 1, { quantity: 1 }), ask(`/carts/${id}/lines/1`, { method: "DELETE" }), checkout(id)]
        for (const answer of await Promise.all(verbs)) {
          assert.strictEqual(answer.status, 404)
          assert.notInclude(JSON.stringify(answer.body), foreign)
        }
      }
      for (const id of ["1", "00000000-0000-0000-0000-000000000000x", "%00", "'; drop table cart; --"]) assert.strictEqual((await ask(`/carts/${encodeURIComponent(id)}`)).status, 400)
      // The keys of carts are in no log.
      assert.notInclude(JSON.stringify(shop.logs), mine)
    })

    it("takes prices, states and numbers from nobody (H09)", async () => {
      await setStock(50, 10)
      const cart = await newCart()
      const { body } = await put(cart, 50, { quantity: 1, price_cents: 1, product_id: 51, cart_id: foreign, product_name: "Gold" })
      assert.deepStrictEqual(body.lines, [{ product_id: 50, product_name: "Lamp No. 50", quantity: 1, price_cents: 1750 }])
      const bought = await checkout(cart, { email, order_id: 1, total_cents: 0, lines: [], state: "open", confirmed_at: "2020-01-01", confirmation_job: foreign })
      assert.strictEqual(bought.status, 201)
      assert.strictEqual(bought.body.total_cents, 1750)
      assert.notStrictEqual(bought.body.confirmation_job, foreign)
      assert.deepStrictEqual(await shop.sql("select price_cents from product where product_id = 50"), [{ price_cents: 1750 }])
      assert.deepStrictEqual(
        await shop.sql(`select state, price_cents, quantity from cart join purchase using (cart_id) join purchase_line using (order_id) where cart_id = '${cart}'`),
        [{ state: "ordered", price_cents: 1750, quantity: 1 }]
      )
    })

    it("stores a text exactly, or refuses it (D07)", async () => {
      await setStock(60, 100)
      for (const note of ["it's \"quoted\" \\ and \\\\ back", "'; drop table cart; --", "€ 漢字 👩‍🚀 \u{10FFFF}", "\u0001\u001f\ufeff", "x".repeat(10_000)]) {
        const cart = await newCart({ 60: 1 })
        assert.strictEqual((await checkout(cart, { email, note })).body.note, note)
        assert.strictEqual((await ask(`/carts/${cart}/order`)).body.note, note)
      }
      const cart = await newCart({ 60: 1 })
      const send = (note: string) => ask(`/carts/${cart}/checkout`, json(`{"email":"${email}","note":"${note}"}`))
      assert.deepStrictEqual(
        [await send("a\\u0000b"), await send("a\\ud800b"), await send("\\udc00"), await send("y".repeat(10_001)), await send("z".repeat(10_000_000))].map(({ status }) => status),
        [400, 400, 400, 400, 413]
      )
      assert.strictEqual((await ask(`/carts/${cart}`)).body.state, "open")
    })

    it("tries a checkout again after a serialization failure or a deadlock, and gives up with 409, never 500 (D06)", async () => {
      // The fault counts in a sequence, which no rollback sets back.
      const fails = (code: string, times: number) =>
        shop.sql(`do $do$ begin
          drop trigger if exists fault on stock;
          drop sequence if exists fault_count;
          create sequence fault_count;
          create or replace function fault() returns trigger language plpgsql as $$
            begin
              if new.product_id = 70 and nextval('fault_count') <= ${times} then raise exception 'injected' using errcode = '${code}'; end if;
              return new;
            end $$;
          create trigger fault before update on stock for each row execute function fault();
        end $do$`)
      const tries = async () => (await shop.sql("select last_value::int as tries from fault_count"))[0].tries as number
      await setStock(70, 10)
      for (const code of ["40001", "40P01"]) {
        await fails(code, 3)
        assert.strictEqual((await checkout(await newCart({ 70: 1 }))).status, 201)
        assert.strictEqual(await tries(), 4)
      }
      assert.strictEqual(await stockOf(70), 8)

      await fails("40001", 1_000_000)
      const cart = await newCart({ 70: 1 })
      const refused = await checkout(cart)
      const tried = await tries()
      await shop.sql("drop trigger fault on stock")
      assert.strictEqual(refused.status, 409)
      assert.isAtLeast(tried, 4)
      assert.isAtMost(tried, 10)
      assert.strictEqual(await stockOf(70), 8)
      assert.strictEqual((await ask(`/carts/${cart}`)).body.state, "open")
      assert.strictEqual((await checkout(cart)).status, 201)
      assert.ok(!shop.logs.some(({ level }) => level === "ERROR"))
    })

    it.skipIf(server === undefined)("undoes a checkout whose client goes away in the middle, and its connection serves others (D04)", async () => {
      await setStock(80, 5)
      const cart = await newCart({ 80: 1 })
      let hold!: () => void
      let release!: () => void
      const held = new Promise<void>((resolve) => hold = resolve)
      const released = new Promise<void>((resolve) => release = resolve)
      // Somebody else has the row: the checkout waits for it inside of its transaction.
      const holder = execute(shop.database!, (sql) =>
        sql.withTransaction(Effect.andThen(sql`update stock set quantity = quantity where product_id = 80`, Effect.promise(() => {
          hold()
          return released
        }))))
      await held
      const activity = (state: string) =>
        execute(shop.database!, (sql) => sql`
          select state, wait_event_type from pg_stat_activity
          where datname = current_database() and application_name = 'storefront' and (state = ${state} or state like 'idle in transaction%')`) as Promise<ReadonlyArray<any>>
      const client = new AbortController()
      const gone = checkoutWith(shop, cart, client.signal).catch((error: Error) => error.name)
      await eventually(async () => (await activity("active")).some(({ wait_event_type }) => wait_event_type === "Lock") || undefined, "the checkout waits for the row")
      client.abort()
      assert.strictEqual(await gone, "AbortError")
      await eventually(async () => (await activity("active")).length === 0 || undefined, "no transaction of the shop is left")
      release()
      await holder
      assert.strictEqual((await ask(`/carts/${cart}`)).body.state, "open")
      assert.strictEqual(await stockOf(80), 5)
      assert.deepStrictEqual(await shop.sql(`select count(*)::int as orders from purchase where cart_id = '${cart}'`), [{ orders: 0 }])
      const bought = await Promise.all(Array.from({ length: 12 }, () => checkout(cart)))
      assert.deepStrictEqual([...new Set(bought.map(({ status }) => status))].toSorted(), [200, 201])
      assert.strictEqual(await stockOf(80), 4)
    })
  })
}

const checkoutWith = async (shop: ShopWithSql, cart: string, signal: AbortSignal) => (await shop.fetch(`/carts/${cart}/checkout`, { ...json({ email }), signal })).status
