import * as crypto from "node:crypto"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { findPostgres, makeDatabase, type OwnDatabase } from "../../support/Postgres.ts"
import { type Document, faultsIn, type Found, type MadeRequest, mismatch, operationsIn, randomOf, requestOf } from "./openApi.ts"
import { nowhere, type Shop, startShop } from "./shop.ts"

const postgres = await findPostgres()

describe("the contract", { timeout: 120_000 }, () => {
  let own: OwnDatabase | undefined
  let shop: Shop
  /** The same program without a database. */
  let alone: Shop
  let document: Document

  beforeAll(async () => {
    own = postgres === undefined ? undefined : await makeDatabase(postgres)
    shop = await startShop(own === undefined ? {} : { database: own.url })
    alone = await startShop({ database: nowhere })
    await shop.ready()
    document = await (await shop.fetch("/openapi.json")).json() as Document
  }, 120_000)

  afterAll(async () => {
    await Promise.all([shop.stop(), alone.stop()])
    await own?.drop()
  })

  it("is an OpenAPI 3.1 document without faults (H21, HA24)", () => {
    assert.deepStrictEqual(faultsIn(document), [])
    assert.isAtLeast(operationsIn(document).length, 19)
    // With an empty list the page would have a button for logging in.
    assert.notProperty((document as unknown as { readonly components: object }).components, "securitySchemes")
  })

  it("describes every response that a request of each kind gets, and only those (H21, S2-7.3.4)", async () => {
    const seen = new Set<string>()

    /** Sends a request for an operation, and checks its answer against what the document says of this status. */
    const see = async (at: Shop, id: string, status: number, path: string, init: RequestInit = {}): Promise<Response> => {
      const operation = operationsIn(document).find((one) => one.operationId === id)!
      const answer = await at.fetch(path, { ...init, method: operation.method })
      const text = await answer.clone().text()
      const said = `${id} ${path}: ${text.slice(0, 300)}`
      assert.strictEqual(answer.status, status, said)
      const response = operation.responses[status]
      assert.isDefined(response, `${said}: ${status} is not in the document`)
      const type = answer.headers.get("content-type")
      if (response!.content === undefined || status === 304) assert.strictEqual(text, "", said)
      else {
        const media = response!.content[type!]
        assert.isDefined(media, `${said}: ${type} is not in the document`)
        if (type!.includes("json")) assert.isUndefined(mismatch(document, media!.schema, JSON.parse(text)), said)
      }
      seen.add(`${id} ${status}`)
      return answer
    }
    const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({ headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) })
    const uuid = "00000000-0000-4000-8000-000000000000"

    // What each operation is asked when all is well, in the order in which it makes sense.
    await see(shop, "basics.hello", 200, "/hello")
    await see(shop, "basics.greet", 200, "/hello", json({ name: "Bob" }))
    await see(shop, "basics.helloName", 200, "/hello/Alice")
    for (const path of ["time", "slow", "shared"]) await see(shop, `basics.${path}`, 200, `/${path}`)
    await see(shop, "basics.readItem", 200, "/items/5?q=x")
    await see(shop, "basics.createItem", 200, "/items/", json({ name: "lamp", price: 1 }))
    await see(shop, "brands.list", 200, "/brands?limit=3&after=2")
    await see(shop, "brands.list", 200, "/brands?limit=3", { headers: { accept: "text/csv" } })
    await see(shop, "brands.list", 406, "/brands", { headers: { accept: "image/png" } })
    await see(shop, "products.list", 200, "/products")
    const made = await see(shop, "products.create", 201, "/product", json({ product_name: "lamp", brand_id: 1 }))
    const product = made.headers.get("location")!
    const tag = (await see(shop, "products.get", 200, product)).headers.get("etag")!
    await see(shop, "products.get", 304, product, { headers: { "if-none-match": tag } })
    await see(shop, "products.replace", 200, product, json({ product_name: "lamps", brand_id: 2 }, { "if-match": tag }))
    await see(shop, "products.replace", 412, product, json({ product_name: "lamps", brand_id: 2 }, { "if-match": tag }))
    await see(shop, "products.replace", 422, product, json({ product_name: "lamps", brand_id: 999_999 }))
    await see(shop, "products.create", 422, "/product", json({ product_name: "lamps", brand_id: 999_999 }))
    await see(shop, "products.remove", 412, product, { headers: { "if-match": tag } })
    await see(shop, "products.remove", 204, product)
    await see(shop, "customers.list", 200, "/customers")
    await see(shop, "customers.get", 200, "/customers/1")
    await see(shop, "customers.favorites", 200, "/customers/1/favorites")
    await see(shop, "customers.like", 204, "/customers/1/favorites/900")
    await see(shop, "customers.unlike", 204, "/customers/1/favorites/900")
    const { cart_id } = await (await see(shop, "carts.create", 201, "/carts")).json() as { readonly cart_id: string }
    const cart = `/carts/${cart_id}`
    await see(shop, "carts.put", 200, `${cart}/lines/1`, json({ quantity: 1 }))
    await see(shop, "carts.put", 200, `${cart}/lines/2`, json({ quantity: 1000 }))
    await see(shop, "carts.get", 200, cart)
    await see(shop, "carts.checkout", 409, `${cart}/checkout`, json({ email: "ada@shop.example" }))
    await see(shop, "carts.remove", 204, `${cart}/lines/2`)
    const order = await see(shop, "carts.checkout", 201, `${cart}/checkout`, json({ email: "ada@shop.example" }))
    await see(shop, "carts.checkout", 200, `${cart}/checkout`, json({ email: "ada@shop.example" }))
    await see(shop, "carts.put", 409, `${cart}/lines/1`, json({ quantity: 2 }))
    await see(shop, "carts.remove", 409, `${cart}/lines/1`)
    await see(shop, "carts.order", 200, `${cart}/order`)
    const { confirmation_job } = await order.json() as { readonly confirmation_job: string }
    await see(shop, "jobs.get", 200, `/jobs/${confirmation_job}`)
    await see(shop, "notifications.send", 202, "/send-notification/", json({ email: "ada@shop.example", message: "hello" }))
    await see(shop, "notes.create", 200, "/notes/", json({ text: "a note", completed: false }))
    await see(shop, "notes.list", 200, "/notes/")

    // What is wrong in the same way for all of them. The paths of things that there are not:
    const nothing = (path: string) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => name === "name" ? "x" : name.endsWith("_id") && !["item_id", "product_id"].includes(name) ? uuid : "999999")
    const bodies: Readonly<Record<string, unknown>> = {
      "products.create": { product_name: "x", brand_id: 1 },
      "products.replace": { product_name: "x", brand_id: 1 },
      "carts.put": { quantity: 1 },
      "carts.checkout": { email: "ada@shop.example" },
      "notes.create": { text: "a note", completed: false }
    }
    const right = ({ operationId: id }: Found): RequestInit => id in bodies ? json(bodies[id]) : {}
    for (const operation of operationsIn(document)) {
      const { operationId: id, path, responses } = operation
      const has = (status: number) => String(status) in responses
      if (has(503)) await see(alone, id, 503, nothing(path), right(operation))
      if (has(404)) await see(shop, id, 404, nothing(path), right(operation))
      if (has(413)) await see(shop, id, 413, nothing(path), json({ text: "x".repeat(2_000_000) }))
      if (has(400)) {
        if (operation.requestBody !== undefined) await see(shop, id, 400, nothing(path), { ...json(0), body: "{" })
        else if (path.includes("{name}")) await see(shop, id, 400, `/hello/${"x".repeat(300)}`)
        else if (path.includes("{")) await see(shop, id, 400, path.replaceAll(/\{\w+\}/g, "!"))
        else await see(shop, id, 400, `${path}?limit=many`)
      }
    }
    const described = operationsIn(document).flatMap((operation) => Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`))
    assert.deepStrictEqual(described.filter((one) => !seen.has(one)), [])
  })

  it("is kept by 500 requests that are made of it, right ones and strange ones: none gets a 5xx, each gets what it says (H21, D07)", async () => {
    const seed = Number(process.env["SEED"] ?? crypto.randomInt(2 ** 31))
    console.log(`the requests of the contract are made of SEED=${seed}`)
    const random = randomOf(seed)
    const statuses = new Map<number, number>()
    for (let i = 0; i < 50; i++) {
      const one = (): MadeRequest => {
        const made = requestOf(document, random)
        // The slow one would make each ten wait.
        return made.operation.operationId === "basics.slow" && i > 0 ? one() : made
      }
      const requests = Array.from({ length: 10 }, one)
      await Promise.all(requests.map(async ({ init, operation, path }) => {
        const answer = await shop.fetch(path, init)
        const text = await answer.text()
        const said = `SEED=${seed} ${init.method} ${path} ${JSON.stringify(init.headers)} ${init.body?.slice(0, 200)} → ${answer.status} ${text.slice(0, 300)}`
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        assert.isBelow(answer.status, 500, said)
        // What the server answers before it knows the operation: no such path, no such type of body, another route.
        if ([404, 405, 415].includes(answer.status) && answer.headers.get("content-type") === "application/problem+json") return
        assert.property(operation.responses, String(answer.status), said)
        const media = operation.responses[answer.status]!.content?.[answer.headers.get("content-type")!]
        if (media !== undefined && text.startsWith("{")) assert.isUndefined(mismatch(document, media.schema, JSON.parse(text)), said)
      }))
    }
    assert.strictEqual([...statuses.values()].reduce((sum, count) => sum + count, 0), 500)
    // Both kinds have come through, or the requests show nothing.
    assert.isAbove(statuses.get(200) ?? 0, 50)
    assert.isAbove(statuses.get(400) ?? 0, 50)
    assert.isEmpty(shop.logs.filter((line) => line.level === "ERROR"))
  })

  for (const [path, name] of [["/docs", "SwaggerUIBundle"], ["/redoc", "Scalar"]] as const) {
    it(`is shown at ${path}, by a page that loads nothing from elsewhere and runs no script but its own (HA24, S2-7.3.4, H12, S0-10i)`, async () => {
      const answer = await shop.fetch(path)
      const page = await answer.text()
      assert.deepStrictEqual([answer.status, answer.headers.get("content-type")?.split(";")[0]], [200, "text/html"])
      assert.include(page, name)
      const head = page.replaceAll(/<script[^]*?<\/script>|<style[^]*?<\/style>/g, "")
      assert.notMatch(head, /\b(?:src|href)=["']?(?:https?:)?\/\//)
      for (const [, attributes, script] of page.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
        assert.notInclude(attributes!, "src=")
        if (!attributes!.includes("application/json")) {
          assert.include(answer.headers.get("content-security-policy")!, `'sha256-${crypto.createHash("sha256").update(script!).digest("base64")}'`)
        }
      }
      const scripts = /script-src ([^;]+)/.exec(answer.headers.get("content-security-policy")!)![1]!
      assert.notInclude(scripts, "unsafe-inline")
      assert.strictEqual(answer.headers.get("x-content-type-options"), "nosniff")
      for (const operation of operationsIn(document)) assert.include(page, operation.operationId)
    })
  }

  it("is shown at /redoc without buttons that hand it to somebody else; outside of the script of Scalar no other host is named", async () => {
    const page = await (await shop.fetch("/redoc")).text()
    const [scalar, start] = [...page.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map(([, script]) => script!)
    for (const setting of ["\"withDefaultFonts\":false", "\"hideClientButton\":true", "\"showDeveloperTools\":\"never\""]) assert.include(start, setting)
    // Those are settings that this Scalar knows.
    for (const name of ["withDefaultFonts", "hideClientButton", "showDeveloperTools"]) assert.include(scalar, name)
    const ours = page.split(scalar!).join("")
    assert.include(ours, start!)
    assert.notMatch(ours, /\bhttps?:|["'(]\/\//)
  })

  it("gives a name that is a script back as what it is: text in JSON, which no browser runs (H12)", async () => {
    const name = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    const made = await shop.fetch("/product", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ product_name: name, brand_id: 1 }) })
    const answer = await shop.fetch(made.headers.get("location")!)
    assert.deepStrictEqual([answer.headers.get("content-type"), answer.headers.get("x-content-type-options")], ["application/json", "nosniff"])
    assert.strictEqual((await answer.json() as any).product_name, name)
    for (const path of ["/", "/docs", "/redoc"]) assert.notInclude(await (await shop.fetch(path)).text(), "onerror=alert(1)")
    assert.strictEqual((await shop.fetch(`/hello/${encodeURIComponent(name)}`)).headers.get("content-type"), "text/plain; charset=utf-8")
  })
})
