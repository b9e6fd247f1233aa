import { assert, describe, it } from "vitest"
import { execute, findPostgres, makeDatabase, OwnPostgres, postgresPrograms } from "../../support/Postgres.ts"
import { addressOf, type Shop, startProgram, startShop } from "./shop.ts"

const postgres = await findPostgres()

const programs = postgresPrograms()
if (programs === undefined) {
  if (process.env["CI"] === "true") throw new Error("the programs of PostgreSQL (initdb, postgres) are needed with CI=true")
  console.warn("skipped: what kills a PostgreSQL of its own, for initdb and postgres are not installed here")
}

/** Clients that ask without a pause until they are told to stop, and what they are answered. */
const load = (shop: Pick<Shop, "fetch">, path: string) => {
  let on = true
  const answers: Array<{ readonly status: number; readonly retryAfter: string | null; readonly at: number }> = []
  const errors: Array<unknown> = []
  const clients = Array.from({ length: 8 }, async () => {
    while (on) {
      try {
        const answer = await shop.fetch(path)
        await answer.arrayBuffer()
        answers.push({ status: answer.status, retryAfter: answer.headers.get("retry-after"), at: performance.now() })
      } catch (error) {
        errors.push(error)
      }
    }
  })
  const until = async (fact: () => boolean) => {
    while (!fact()) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return {
    answers,
    errors,
    until,
    /** Waits for that many more answers of this status. */
    more: (count: number, status: number) => {
      const from = answers.length
      return until(() => answers.slice(from).filter((answer) => answer.status === status).length >= count)
    },
    stop: async () => {
      on = false
      await Promise.all(clients)
    }
  }
}

const statusesOf = (answers: ReadonlyArray<{ readonly status: number }>) => [...new Set(answers.map((answer) => answer.status))].toSorted()

describe("the shop, when PostgreSQL fails", { timeout: 120_000 }, () => {
  it("answers 503 while PostgreSQL is killed, and is all there soon after its return (D01)", { skip: programs === undefined }, async () => {
    const server = await OwnPostgres.start()
    const shop = await startShop({ database: server.url })
    try {
      await shop.ready()
      const clients = load(shop, "/customers/7")
      await clients.more(50, 200)
      const killed = performance.now()
      await server.kill9()
      await clients.more(50, 503)
      assert.match(await (await shop.fetch("/")).text(), /Storefront/)
      assert.strictEqual((await shop.fetch("/hello")).status, 200)
      const from = clients.answers.length
      await server.startAgain()
      const back = performance.now()
      await clients.until(() => clients.answers.slice(from).some((answer) => answer.status === 200))
      // The case allows five seconds on a machine of its own.
      assert.isBelow(performance.now() - back, 15_000)
      await clients.more(100, 200)
      await clients.stop()
      assert.isEmpty(clients.errors)
      assert.deepStrictEqual(statusesOf(clients.answers), [200, 503])
      for (const { retryAfter, status } of clients.answers) assert.strictEqual(retryAfter, status === 503 ? "1" : null)
      assert.isEmpty(shop.logs.filter((line) => line.level === "ERROR"))
      // The log says so about once in a second, however many ask.
      const lines = shop.logs.filter((line) => JSON.stringify(line.message).includes("the database could not answer"))
      assert.isAbove(lines.length, 0)
      assert.isAtMost(lines.length, 2 + (performance.now() - killed) / 1000)
      // The whole pool is used again.
      const all = await Promise.all(Array.from({ length: 100 }, (_, i) => shop.fetch(`/products/${i + 1}`).then((answer) => answer.status)))
      assert.deepStrictEqual([...new Set(all)], [200])
    } finally {
      await shop.stop()
      await server.stop()
    }
  })

  it("comes up before PostgreSQL does, and serves as soon as it is there (D01, HA8)", { skip: programs === undefined }, async () => {
    const server = await OwnPostgres.start()
    await server.kill9()
    const shop = await startShop({ database: server.url })
    try {
      assert.strictEqual((await shop.fetch("/brands")).status, 503)
      assert.strictEqual((await shop.fetch("/time")).status, 200)
      await server.startAgain()
      await shop.ready()
      assert.lengthOf(await (await shop.fetch("/brands")).json() as Array<unknown>, 100)
    } finally {
      await shop.stop()
      await server.stop()
    }
  })

  it("loses at most as many requests as the pool has connections, when all of them are ended (D02)", { skip: postgres === undefined }, async () => {
    const own = await makeDatabase(postgres!)
    const shop = await startShop({ database: own.url })
    try {
      await shop.ready()
      const end = () => execute(own.url, (sql) => sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'storefront' and datname = current_database()`)
      // Idle: each is replaced, and nobody sees it.
      await Promise.all(Array.from({ length: 20 }, (_, i) => shop.fetch(`/products?limit=1&after=${i + 1}`)))
      assert.isAbove((await end()).length, 0)
      const idle = await Promise.all(Array.from({ length: 50 }, (_, i) => shop.fetch(`/products?limit=1&after=${i + 1}`).then((answer) => answer.status)))
      assert.isAtMost(idle.filter((status) => status !== 200).length, 6)
      // Busy.
      const clients = load(shop, "/brands")
      await clients.more(50, 200)
      const ended = (await end()).length
      await clients.more(100, 200)
      await clients.stop()
      assert.isEmpty(clients.errors)
      assert.isAtMost(clients.answers.filter((answer) => answer.status !== 200).length, ended)
      assert.isEmpty(clients.answers.filter((answer) => answer.status !== 200 && answer.status !== 503))
    } finally {
      await shop.stop()
      await own.drop()
    }
  })
})

/** Buys one thing of each of two products. Gives up quietly when the server is gone. */
const buy = async (url: string): Promise<void> => {
  const json = (method: string, body: unknown): RequestInit => ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  const { cart_id } = await (await fetch(`${url}/carts`, { method: "POST" })).json() as { readonly cart_id: string }
  const first = 1 + Math.floor(Math.random() * 20)
  for (const product of [first, first + 20]) await (await fetch(`${url}/carts/${cart_id}/lines/${product}`, json("PUT", { quantity: 1 }))).arrayBuffer()
  await (await fetch(`${url}/carts/${cart_id}/checkout`, json("POST", { email: "ada@shop.example" }))).arrayBuffer()
}

/** What must be true of the shop between any two transactions: each query finds what breaks a rule. */
const brokenRules = (url: string): Promise<ReadonlyArray<unknown>> =>
  execute(url, (sql) => sql`
    select 'an ordered cart without its order' as rule, cart_id::text as what from cart where state = 'ordered' and cart_id not in (select cart_id from purchase)
    union all
    select 'an order of an open cart', cart_id::text from purchase join cart using (cart_id) where state <> 'ordered'
    union all
    select 'an order without its lines', order_id::text from purchase where (select count(*) from purchase_line as line where line.order_id = purchase.order_id) <> 2
    union all
    select 'stock and sales do not add up', product_id::text from stock
    where quantity + coalesce((select sum(quantity) from purchase_line where purchase_line.product_id = stock.product_id), 0) <> 10 + product_id % 90`)

describe("a checkout that is killed", { timeout: 120_000 }, () => {
  for (const [what, killsServer] of [["the program", false], ["PostgreSQL", true]] as const) {
    it(`has happened or not, when ${what} is killed in the middle of many (D09)`, { skip: killsServer ? programs === undefined : postgres === undefined }, async () => {
      const server = killsServer ? await OwnPostgres.start() : undefined
      const own = server === undefined ? await makeDatabase(postgres!) : undefined
      const database = (server ?? own)!.url
      const program = startProgram(["--port", "0"], { DATABASE_URL: database })
      try {
        const url = await addressOf(program)
        while ((await fetch(`${url}/brands?limit=1`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
        let on = true
        const buyers = Array.from({ length: 8 }, async () => {
          while (on) await buy(url).catch(() => {})
        })
        const sold = async () => (await execute(database, (sql) => sql`select count(*)::int as count from purchase`))[0].count as number
        while (await sold() < 20) await new Promise((resolve) => setTimeout(resolve, 10))
        if (server === undefined) program.kill("SIGKILL")
        else await server.kill9()
        on = false
        await Promise.all(buyers)
        if (server !== undefined) {
          await server.startAgain()
          program.kill("SIGTERM")
        }
        await program.ended
        assert.isAtLeast(await sold(), 20)
        assert.deepStrictEqual(await brokenRules(database), [])
      } finally {
        program.kill("SIGKILL")
        await program.ended.catch(() => {})
        await server?.stop()
        await own?.drop()
      }
    })
  }
})

