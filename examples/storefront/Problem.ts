/**
 * What can go wrong, as answers: one class for each kind, all of them "problem details" (RFC 9457).
 *
 * A handler fails with one of them. The contract (Api.ts) names those that an endpoint may give, so the typed client gets
 * them back as the same classes.
 */
import { HttpApiError } from "effect/http-api"
import { ErrorReporter, Schema } from "effect"
import * as http from "node:http"

/** Says that this is a problem by its status alone: its title says all. */
const plain = "about:blank"

/** Which value of the request is wrong, and why: `{ "path": ["payload", "price"], "message": "…" }`. */
export const Issue = HttpApiError.ProblemIssue

const errors = Schema.optionalKey(Schema.Array(Issue))

/** 400: the request does not have the form that the contract asks for. */
export const BadRequest = HttpApiError.BadRequestProblem
export type BadRequest = HttpApiError.BadRequestProblem

/** 404: there is no such thing. */
export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", { type: plain, status: 404, title: "Not Found" }) {}

/** 406: there is no answer in a form that the client accepts. */
export class NotAcceptable extends HttpApiError.Problem<NotAcceptable>()("NotAcceptable", { type: plain, status: 406, title: "Not Acceptable" }) {}

/** 409: it contradicts what there is. */
export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", { type: plain, status: 409, title: "Conflict" }, { errors }) {}

/** 412: somebody else has changed it since the client has seen it. */
export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()("PreconditionFailed", { type: plain, status: 412, title: "Precondition Failed" }) {}

/** 413: the body is larger than the application reads. */
export class PayloadTooLarge extends HttpApiError.Problem<PayloadTooLarge>()("PayloadTooLarge", { type: plain, status: 413, title: "Payload Too Large" }) {}

/** 422: the form is right, but a value means nothing here, such as the number of a brand that does not exist. */
export class Unprocessable extends HttpApiError.Problem<Unprocessable>()("Unprocessable", { type: plain, status: 422, title: "Unprocessable Content" }, { errors }) {}

/** 503: the database is not there, or not yet. Each answer with this status says when to try again (http/Answer.ts). */
export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", { type: plain, status: 503, title: "Service Unavailable" }) {
  // Each request meets it while the database is away. The log has one line about that; a report for each would hide others.
  override readonly [ErrorReporter.ignore] = true
}

/** The problem of a status, for what fails outside of any endpoint, as a body. */
export const bodyOf = (status: number, detail?: string): string =>
  JSON.stringify({ type: plain, status, title: http.STATUS_CODES[status] ?? "Error", ...(detail === undefined ? {} : { detail }) })

export const contentType = "application/problem+json"
