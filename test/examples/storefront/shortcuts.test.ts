import * as NodeHttpPlatform from "@effect/platform-node/NodeHttpPlatform"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Deferred, Effect, ErrorReporter, Layer, Result, Schema, SchemaTransformation, Stream } from "effect"
import { Etag, HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { afterAll, assert, beforeEach, describe, it } from "vitest"
import { group } from "../../../examples/storefront/http/Group.ts"
import * as Problem from "../../../examples/storefront/Problem.ts"

/** How often a value of a path was read, how often handlers ran, and what was reported. */
let decoded = 0
let handled = 0
let reported: Array<unknown> = []

const Word = Schema.String.check(Schema.isMaxLength(5)).pipe(Schema.decodeTo(Schema.String, SchemaTransformation.transform({
  decode: (text) => {
    decoded++
    return text.toUpperCase()
  },
  encode: (text) => text.toLowerCase()
})))
const Plain = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; charset=utf-8" }))
const Thing = Schema.Struct({ name: Word, at: Schema.Date, size: Schema.optionalKey(Schema.Int) }).pipe(Schema.encodeKeys({ name: "thing_name" }))
/** An error that does not know its own answer. */
class OutOfMilk extends Schema.TaggedError<OutOfMilk>()("OutOfMilk", { litres: Schema.Int }, { httpApiStatus: 418 }) {}

const word = { word: Word }
const at = new Date(0)

class Words extends HttpApiGroup.make("words").add(
  HttpApiEndpoint.get("text", "/text/:word", { params: word, success: Plain }),
  HttpApiEndpoint.get("json", "/json/:word", { params: word, success: Thing }),
  HttpApiEndpoint.get("created", "/created/:word", { params: word, success: Thing.pipe(HttpApiSchema.status(201)) }),
  HttpApiEndpoint.get("query", "/query", { query: { word: Word, size: Schema.optionalKey(Schema.Int), many: Schema.optionalKey(Schema.Array(Schema.String)) }, success: Thing }),
  HttpApiEndpoint.get("headers", "/headers", { headers: { "x-word": Word }, success: Plain }),
  HttpApiEndpoint.get("nothing", "/nothing/:word", { params: word }),
  HttpApiEndpoint.get("void", "/void/:word", { params: word, success: Schema.Void }),
  HttpApiEndpoint.get("whole", "/whole/:word", { params: word, success: Thing }),
  HttpApiEndpoint.get("either", "/either/:word", { params: word, success: [Thing, Plain] }),
  HttpApiEndpoint.get("bytes", "/bytes/:word", { params: word, success: Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array()) }),
  HttpApiEndpoint.get("withHeaders", "/with-headers/:word", { params: word, success: HttpApiSchema.WithHeaders(Plain, { "x-size": Schema.Int }) }),
  HttpApiEndpoint.get("later", "/later/:word", { params: word, success: Plain }),
  HttpApiEndpoint.get("refuses", "/refuses/:word", { params: word, success: Plain, error: [Problem.Conflict, OutOfMilk] }),
  HttpApiEndpoint.get("milk", "/milk/:word", { params: word, success: Plain, error: [Problem.Conflict, OutOfMilk] }),
  HttpApiEndpoint.get("dies", "/dies/:word", { params: word, success: Plain }),
  HttpApiEndpoint.get("throws", "/throws/:word", { params: word, success: Plain }),
  HttpApiEndpoint.get("lies", "/lies/:word", { params: word, success: Thing }),
  HttpApiEndpoint.get("stream", "/stream/:word", { params: word, success: HttpApiSchema.StreamUint8Array() }),
  HttpApiEndpoint.get("upgrade", "/upgrade/:word", { params: word, success: [Plain, HttpApiSchema.Upgrade({ protocol: "words" })] }),
  HttpApiEndpoint.post("payload", "/payload/:word", { params: word, payload: Thing, success: Thing }),
  HttpApiEndpoint.delete("remove", "/remove/:word", { params: word, success: HttpApiSchema.NoContent })
) {}

class Api extends HttpApi.make("api").add(Words) {}

const build = (handlers: HttpApiBuilder.Handlers.FromGroup<typeof Words>) => {
  const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => {
    handled++
    return effect
  })
  return Effect.succeed(handlers.handleAll({
    text: ({ params }) => run(Effect.succeed(params.word)),
    json: ({ params }) => run(Effect.succeed({ name: params.word, at })),
    created: ({ params }) => run(Effect.succeed({ name: params.word, at })),
    query: ({ query }) => run(Effect.succeed({ name: query.word, at, size: (query.size ?? 0) + (query.many ?? []).length })),
    headers: ({ headers }) => run(Effect.succeed(headers["x-word"])),
    nothing: () => run(Effect.void),
    void: () => run(Effect.void),
    whole: ({ params }) => run(Effect.succeed(HttpServerResponse.text(params.word, { status: 203 }))),
    either: ({ params }) => run(Effect.succeed(params.word)),
    bytes: ({ params }) => run(Effect.succeed(new TextEncoder().encode(params.word))),
    withHeaders: ({ params }) => run(Effect.succeed(HttpApiSchema.withHeaders({ body: params.word, headers: { "x-size": 7 } }))),
    later: ({ params }) => run(Effect.as(Effect.yieldNow, params.word)),
    refuses: () => run(Effect.fail(new Problem.Conflict({ detail: "It is there already." }))),
    milk: () => run(Effect.fail(new OutOfMilk({ litres: 2 }))),
    dies: () => run(Effect.die(new Error("a defect"))),
    throws: () => {
      handled++
      throw new Error("thrown")
    },
    lies: () => run(Effect.succeed({ name: "x", at: "never" } as unknown as typeof Thing.Type)),
    stream: ({ params }) => run(Effect.succeed(Stream.succeed(new TextEncoder().encode(params.word)))),
    upgrade: ({ params, upgrade }) => run(Effect.succeed(`${params.word} ${typeof upgrade}`)),
    payload: ({ payload }) => run(Effect.succeed(payload)),
    remove: () => run(Effect.void)
  }))
}

interface Server {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
}

const serving = (words: Layer.Layer<any, never, any>, api: HttpApi.HttpApi<any, any> = Api as never): Server =>
  HttpRouter.toWebHandler(HttpApiBuilder.layer(api).pipe(
    Layer.provide(words),
    Layer.provide(Layer.mergeAll(NodeHttpPlatform.layer, Etag.layer).pipe(Layer.provideMerge(NodeServices.layer))),
    Layer.provideMerge(Layer.succeed(ErrorReporter.CurrentErrorReporters, new Set([ErrorReporter.make(({ error }) => void reported.push(error))])))
  ) as Layer.Layer<never, never, HttpRouter.HttpRouter>, { disableLogger: true })

describe("the short way through an endpoint", () => {
  const ours = serving(group(Api, "words", build))
  const effects = serving(HttpApiBuilder.group(Api, "words", build))

  const ask = async ({ handler }: Server, path: string, init?: RequestInit) => {
    reported = []
    const response = await handler(new Request(`http://localhost${path}`, init))
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text(), reported: reported.map(String) }
  }

  beforeEach(() => {
    decoded = handled = 0
  })
  afterAll(async () => {
    await ours.dispose()
    await effects.dispose()
  })

  const requests: ReadonlyArray<readonly [what: string, path: string, init?: RequestInit]> = [
    ["a text", "/text/lamp"],
    ["a text that is not ASCII", "/text/%C3%A9t%C3%A9"],
    ["JSON whose keys and values are written in another way", "/json/lamp"],
    ["a status of its own", "/created/lamp"],
    ["values of the query", "/query?word=lamp&size=3&many=a&many=b"],
    ["one value where there may be many", "/query?word=lamp&many=a"],
    ["a header", "/headers", { headers: { "x-word": "lamp" } }],
    ["nothing", "/nothing/lamp"],
    ["void", "/void/lamp"],
    ["a response that the handler has made", "/whole/lamp"],
    ["one of two kinds", "/either/lamp"],
    ["bytes", "/bytes/lamp"],
    ["headers beside the body", "/with-headers/lamp"],
    ["an answer that takes a while", "/later/lamp"],
    ["a stream", "/stream/lamp"],
    ["an upgrade that the client does not ask for", "/upgrade/lamp"],
    ["an upgrade that the handler does without", "/upgrade/lamp", { headers: { connection: "upgrade", upgrade: "words" } }],
    ["HEAD", "/text/lamp", { method: "HEAD" }],
    ["DELETE", "/remove/lamp", { method: "DELETE" }],
    ["a body", "/payload/lamp", { method: "POST", body: `{"thing_name":"lamp","at":"1970-01-01T00:00:00.000Z"}`, headers: { "content-type": "application/json" } }],
    ["a body that has not its form", "/payload/lamp", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }],
    ["a path that has not its form", "/text/lantern"],
    ["a query that has not its form", "/query?word=lamp&size=large"],
    ["a header that is missing", "/headers"],
    ["a problem", "/refuses/lamp"],
    ["an error whose answer is known to the contract alone", "/milk/lamp"],
    ["a defect", "/dies/lamp"],
    ["a handler that throws", "/throws/lamp"],
    ["an answer that the contract does not allow", "/lies/lamp"]
  ]

  for (const [what, path, init] of requests) {
    it(`answers, and reports, as Effect's way does: ${what}`, async () => {
      const expected = await ask(effects, path, init)
      const ran = handled
      handled = 0
      assert.deepStrictEqual(await ask(ours, path, init), expected)
      assert.strictEqual(handled, ran)
      assert.isAtMost(handled, 1)
    })
  }

  it("reads the values of a request once when all goes well, so Effect still notes how an answer is written where this looks", async () => {
    for (const kind of ["text", "json", "created", "nothing", "void", "whole", "later"]) {
      decoded = 0
      await ask(ours, `/${kind}/lamp`)
      assert.strictEqual(decoded, 1, kind)
    }
  })

  it("goes on Effect's way, which reads them again, when the handler fails", async () => {
    await ask(ours, "/refuses/lamp")
    assert.deepStrictEqual([decoded, handled], [2, 1])
  })

  it("ends as interrupted when the client goes away, and answers nothing", async () => {
    const asked = Deferred.makeUnsafe<void>()
    const gone = Deferred.makeUnsafe<string>()
    const wait = HttpApiGroup.make("wait").add(HttpApiEndpoint.get("wait", "/wait", { success: Plain }))
    const api = HttpApi.make("waiting").add(wait)
    const waiting = serving(group(api, "wait", (handlers) =>
      Effect.succeed(handlers.handleAll({
        wait: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never).pipe(Effect.onInterrupt(() => Deferred.succeed(gone, "gone")))
      }))) as never, api)
    const client = new AbortController()
    reported = []
    const answer = Effect.runPromise(Effect.result(Effect.tryPromise(() => waiting.handler(new Request("http://localhost/wait", { signal: client.signal })))))
    await Effect.runPromise(Deferred.await(asked))
    client.abort()
    assert.strictEqual(await Effect.runPromise(Deferred.await(gone)), "gone")
    const ended = await answer
    assert.isTrue(Result.isFailure(ended) || ended.success.status === 499)
    assert.deepStrictEqual(reported, [])
    await waiting.dispose()
  })
})
