/**
 * Pages of a list by cursor: "the rows after this one". Unlike a number of a page it does not skip or repeat rows when
 * some are added or removed meanwhile, and the hundredth page costs what the first one costs.
 */
import type { HttpServerRequest } from "effect/http"

/** The header that leads to the next page (RFC 8288), unless this is the last one. */
export const nextPage = (request: HttpServerRequest.HttpServerRequest, limit: number | undefined, count: number, last: number | null): { readonly link?: string } => {
  if (limit === undefined || count < limit || last === null) return {}
  const next = new URL(request.url, "http://localhost")
  next.searchParams.set("after", String(last))
  return { link: `<${next.pathname}${next.search}>; rel="next"` }
}
