/**
 * A group of routes of the contract: `HttpApiBuilder.group`, for handlers that take the services they need when they are
 * made, and need nothing else later. The types see to that.
 *
 * Effect's own gives each request all services that were there when its handler was made: a new map of thirty, a third of
 * all memory that a small request takes.
 */
import { Context, Effect, Layer } from "effect"
import { type HttpApi, HttpApiBuilder, type HttpApiGroup } from "effect/http-api"

type Built = Effect.Effect<HttpApiBuilder.Handlers<never, any, any>, any, any>

export const group = <ApiId extends string, Groups extends HttpApiGroup.Constraint, const Name extends HttpApiGroup.Identifier<Groups>, Return extends Built>(
  api: HttpApi.HttpApi<ApiId, Groups>,
  name: Name,
  build: (handlers: HttpApiBuilder.Handlers.FromGroup<HttpApiGroup.WithIdentifier<Groups, Name>>) => HttpApiBuilder.Handlers.ValidateReturn<Return>
): ReturnType<typeof HttpApiBuilder.group<ApiId, Groups, Name, Return>> =>
  Layer.effectContext(Effect.gen(function*() {
    const services = yield* Effect.context<any>()
    const made = HttpApiBuilder.group(api, name, (handlers) => Effect.provideContext(build(handlers) as Built, services) as any)
    return yield* Layer.buildWithMemoMap(made, withNothingAround, yield* Effect.scope)
  })) as any

/** What a layer finds around it when it is built, it may keep for ever; this one finds nothing. */
const withNothingAround: Layer.MemoMap = Object.assign(Object.create(Layer.makeMemoMapUnsafe()), {
  getOrElseMemoize: ((_, scope, build) => Effect.updateContext(build(withNothingAround, scope), () => Context.empty() as Context.Context<any>)) satisfies Layer.MemoMap["getOrElseMemoize"]
})
