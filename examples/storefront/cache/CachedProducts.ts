/** The products, with single ones kept in the cache. Takes the place of `Products.layer`; nobody else knows. */
import { Effect, Layer, Schema } from "effect"
import { Products } from "../products/Products.ts"
import { Product } from "../products/ProductsApi.ts"
import { Cache } from "./Cache.ts"

const Versioned = Schema.Struct({ product: Product, version: Schema.Int })

const keyOf = (id: number): string => `product:${id}`

export const CachedProducts = Layer.effect(Products)(Effect.gen(function*() {
  const products = yield* Products
  const cache = yield* Cache

  /** Whatever has become of it: an error does not prove that nothing was changed. */
  const changing = (id: number) => <A, E, R>(change: Effect.Effect<A, E, R>) => Effect.onExit(change, () => cache.remove(keyOf(id)))

  return {
    ...products,
    get: (id: number) => cache.getOrMake(keyOf(id), Versioned, products.get(id)),
    replace: (...[id, product, expected]: Parameters<typeof products.replace>) => products.replace(id, product, expected).pipe(changing(id)),
    remove: (...[id, expected]: Parameters<typeof products.remove>) => products.remove(id, expected).pipe(changing(id))
  }
})).pipe(Layer.provide(Products.layer))
