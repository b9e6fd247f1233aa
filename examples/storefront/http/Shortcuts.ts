/**
 * The short way of a request through an endpoint that has a plain contract: values of the path, the query and the headers in, one
 * kind of answer out. Effect's way (`HttpApiBuilder`), which is for every endpoint, takes a generator, three effects around it, and a
 * copy of the map of all services, for each request.
 *
 * This one knows how things go well, and nothing else. A value that does not have its form, a handler that fails, an answer that is
 * not the one kind: all of it goes on Effect's way, which knows what is right then.
 */
import { Cause, Context, Effect, Exit, Schema, SchemaAST } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApi, type HttpApiBuilder, type HttpApiEndpoint, type HttpApiGroup, HttpApiSchema } from "effect/http-api"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, any>
type Handler = (request: any) => Effect.Effect<unknown, unknown, any>

interface Endpoint {
  readonly endpoint: HttpApiEndpoint.Top
  readonly group: HttpApiGroup.Top
  /** Of the contract, the group and the endpoint. */
  readonly annotations: Context.Context<never>
  /** What it may answer with, by status. */
  readonly successes: ReadonlyMap<number, ReadonlyArray<Schema.Top>>
}

/** How handlers have ended whose requests go on Effect's way: they must not run twice. */
const ended = new WeakMap<HttpServerRequest.HttpServerRequest, Exit.Exit<unknown, unknown>>()

/** What Effect keeps of a group: its handlers by the names of their endpoints, and its routes, in the same order. */
interface Made {
  readonly handlers: Map<string, { readonly handler: Handler }>
}

interface Service extends Made {
  readonly routes: ReadonlyArray<HttpRouter.Route<any, any>>
}

/** The short ways of a group of the contract. */
export class Shortcuts {
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #handlers = new Map<string, Handler>()

  constructor(api: HttpApi.HttpApi<any, any>, name: string) {
    HttpApi.reflect(api, {
      predicate: ({ group }) => group.identifier === name,
      onGroup: () => {},
      onEndpoint: ({ endpoint, group, mergedAnnotations: annotations, successes }) => this.#endpoints.set(endpoint.identifier, { endpoint, group, annotations, successes })
    })
  }

  /** Puts at the ends of Effect's ways what does not run a handler twice. */
  readonly meet = <H extends HttpApiBuilder.Handlers<any, any, any>>(made: H): H => {
    const { handlers } = made as unknown as Made
    for (const [name, one] of handlers) {
      const { handler } = one
      this.#handlers.set(name, handler)
      handlers.set(name, { ...one, handler: (given) => ended.get(given.request) ?? handler(given) })
    }
    return made
  }

  /** Lets the routes of the group begin with the short way. */
  lay(group: Context.Context<any>): Context.Context<any> {
    const [[key, service]] = [...group.mapUnsafe] as [[string, Service]]
    const names = [...service.handlers.keys()]
    const routes = service.routes.map((route, i) => ({ ...route, handler: shortcut(this.#endpoints.get(names[i]!)!, this.#handlers.get(names[i]!)!, route.handler) }))
    return Context.makeUnsafe(new Map([[key, { ...service, routes }]]))
  }
}

/** The short way, with Effect's for whatever it does not know. */
const shortcut = (endpoint: Endpoint, handler: Handler, effectsWay: Answer): Answer => {
  const parts = partsOf(endpoint)
  if (parts === undefined) return effectsWay
  const encode = encoderOf(endpoint)
  const goOn = (request: HttpServerRequest.HttpServerRequest, exit: Exit.Exit<unknown, unknown>): Answer => {
    ended.set(request, exit)
    return effectsWay
  }
  return Effect.withFiber(({ context }) => {
    const request = Context.getUnsafe(context, HttpServerRequest.HttpServerRequest)
    const given: Record<string, unknown> = { request, endpoint: endpoint.endpoint, group: endpoint.group }
    for (const { decode, name, read } of parts) {
      const value = decode(read(context, request))
      if (Exit.isFailure(value)) return effectsWay
      given[name] = value.value
    }
    return Effect.matchCauseEffectEager(handler(given), {
      onSuccess: (value) => {
        if (HttpServerResponse.isHttpServerResponse(value)) return Effect.succeed(value)
        const response = encode(value)
        return response === undefined ? goOn(request, Exit.succeed(value)) : Effect.succeed(response)
      },
      // Nobody waits for the answer to a request that was given up.
      onFailure: (cause) => Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : goOn(request, Exit.failCause(cause))
    })
  })
}

interface Part {
  readonly name: "params" | "query" | "headers"
  readonly read: (context: Context.Context<never>, request: HttpServerRequest.HttpServerRequest) => unknown
  readonly decode: (value: unknown) => Exit.Exit<unknown, unknown>
}

/** What a handler is given of a request; nothing, if that is more than this way can give. */
const partsOf = ({ annotations, endpoint: { headers, middlewares, params, payload, query, success }, successes }: Endpoint): ReadonlyArray<Part> | undefined => {
  // Streams and upgrades are not among those by status.
  const buffered = [...successes.values()].flat().length
  if (payload.size > 0 || middlewares.size > 0 || buffered < success.size) return undefined
  const part = (schema: Schema.Top | undefined, name: Part["name"], key: OptionsKey, read: Part["read"]): ReadonlyArray<Part> =>
    schema === undefined ? [] : [{ name, read, decode: Schema.decodeUnknownExit(schema as Schema.Codec<unknown>, optionsOf(annotations, key)) }]
  return [
    ...part(params, "params", HttpApi.ParamsParseOptions, (context) => Context.getUnsafe(context, HttpRouter.RouteContext).params),
    ...part(headers, "headers", HttpApi.HeadersParseOptions, (_, request) => request.headers),
    ...part(query && Schema.toCodecArrayFromSingle(query), "query", HttpApi.QueryParseOptions, (context) => Context.getUnsafe(context, HttpServerRequest.ParsedSearchParams))
  ]
}

type OptionsKey = Context.Key<any, SchemaAST.ParseOptions>

const optionsOf = (annotations: Context.Context<never>, key: OptionsKey): SchemaAST.ParseOptions | undefined =>
  Context.getOrUndefined(annotations, key) ?? Context.getOrUndefined(annotations, HttpApi.ParseOptions)

const json = { _tag: "Json", contentType: "application/json" }

/** How a schema wants to be written, and whether with headers, where Effect notes that. */
const encodingOf = SchemaAST.resolveAt<typeof json>("~httpApiEncoding")
const headersOf = SchemaAST.resolveAt<unknown>("~httpApiWithHeaders")

/** If Effect notes it elsewhere one day, nothing is written here: a text would be taken for JSON. */
const isNoted = encodingOf(Schema.String.pipe(HttpApiSchema.asText()).ast)?._tag === "Text"

/** Writes what a handler has answered with, where there is one kind of that only; nothing, if it is not that. */
const encoderOf = ({ annotations, endpoint, successes }: Endpoint): (value: unknown) => HttpServerResponse.HttpServerResponse | undefined => {
  const none = () => undefined
  const [[status, [schema]] = [0, []]] = successes
  if (!isNoted || schema === undefined || endpoint.success.size > 1 || HttpApiSchema.isWithHeaders(schema) || headersOf(schema.ast) !== undefined) return none
  const { _tag, contentType } = encodingOf(schema.ast) ?? json
  const written = _tag === "Json" ? JSON.stringify : _tag === "Text" ? (encoded: unknown) => encoded as string : none
  const isEmpty = HttpApiSchema.isNoContent(schema.ast)
  const encode = Schema.encodeUnknownExit(schema as Schema.Codec<unknown>, optionsOf(annotations, HttpApi.SuccessParseOptions))
  return (value) => {
    const exit = encode(value)
    if (Exit.isFailure(exit)) return undefined
    if (isEmpty) return HttpServerResponse.empty({ status })
    const text = written(exit.value)
    return text === undefined ? undefined : HttpServerResponse.text(text, { status, contentType })
  }
}
