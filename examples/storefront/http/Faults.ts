/**
 * The last stop of everything that goes wrong in a request: each failure becomes one answer, a problem (RFC 9457).
 *
 * What is our fault is 500: the client gets the number of the request and nothing else, the log gets the cause, once, and
 * so does who listens to Effect's `ErrorReporter`.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Cause, Effect, ErrorReporter, SchemaIssue, Stream } from "effect"
import { HttpApiError } from "effect/http-api"
import { HttpBody, HttpServerError, HttpServerRequest, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { SqlError } from "effect/sql"
import { codeOf, sqlFaultOf } from "../database/SqlFault.ts"
import * as Problem from "../Problem.ts"
import type { Answer } from "./Answer.ts"

/** The application, with an answer for whatever happens in it. Only an interruption goes through. */
export const withAnswerForFaults = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.matchCauseEffect(app, { onSuccess: withProblem, onFailure: answerTo })

/** Effect's own answers to what a client does wrong have an empty body, or a line of text. */
const withProblem = (response: HttpServerResponse.HttpServerResponse): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.succeed(
    response.body._tag === "Stream" ? withLog(response, response.body) : response.status < 400 || response.headers["content-type"] === Problem.contentType
      ? response
      : problem(response.status, response.body._tag === "Uint8Array" ? textOf(response.body.body) : undefined)
  )

/**
 * A body that breaks half-way: its status has gone out already, so the connection is cut, and a client does not take what
 * it has got for the whole. What is left to do is to tell of it.
 */
const withLog = (response: HttpServerResponse.HttpServerResponse, body: HttpBody.Stream): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setBody(response, HttpBody.stream(
    Stream.tapCause(body.stream, (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.andThen(Effect.logError("an answer has broken half-way", cause), ErrorReporter.report(cause))),
    body.contentType,
    body.contentLength
  ))

const answerTo = <E>(cause: Cause.Cause<E>): Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest> => {
  // The client has gone, or the server stops: nobody waits for an answer, and the fiber ends as interrupted.
  if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
  const fault = Cause.squash(cause)
  if (HttpServerResponse.isHttpServerResponse(fault)) return withProblem(fault)
  if (HttpApiError.HttpApiSchemaError.is(fault)) return ofSchema(fault, cause)
  if (SqlError.isSqlError(fault)) return ofDatabase(fault, cause)
  if (fault instanceof HttpServerError.HttpServerError) return ofServer(fault, cause)
  // A problem of ours (Problem.ts) knows its answer.
  if (HttpServerRespondable.isRespondable(fault)) {
    return Effect.flatMap(HttpServerRespondable.toResponse(fault), (response) => response.status === 500 ? unexpected(cause) : withProblem(response))
  }
  return unexpected(cause)
}

const ofServer = (fault: HttpServerError.HttpServerError, cause: Cause.Cause<unknown>) => {
  const { reason } = fault
  switch (reason._tag) {
    case "RouteNotFound":
      return Effect.succeed(problem(404, "There is nothing at this path."))
    case "RequestParseError":
      return Effect.succeed(reason.reason === "BodyTooLarge"
        ? problem(413, "The body is larger than this application reads.")
        : problem(400, "The body of the request could not be read."))
    default:
      return unexpected(cause)
  }
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const slots = { Params: "path", Query: "query", Headers: "headers", Payload: "body", Body: "", ResponseHeaders: "" } as const

/** A value does not have the form that the contract gives it: 400 with the path of each such value. */
const ofSchema = (fault: HttpApiError.HttpApiSchemaError, cause: Cause.Cause<unknown>) => {
  const slot = slots[fault.kind]
  // What we answer does not keep our own contract.
  if (slot === "") return unexpected(cause)
  const errors = formatIssues(fault.cause.issue).issues.map((issue) => ({
    path: [slot, ...(issue.path ?? []).map((part) => typeof part === "object" ? String(part.key) : typeof part === "number" ? part : String(part))],
    message: issue.message
  }))
  const refused = (all: typeof errors) => HttpServerRespondable.toResponse(new Problem.BadRequest({ detail: "The request does not have the form that is asked for.", errors: all }))
  return fault.kind === "Payload" && errors[0]?.message === notJson
    ? Effect.flatMap(whyNotJson, (message) => refused([{ path: [slot], message }]))
    : refused(errors)
}

/** What Effect says of a body that is no JSON. */
const notJson = "Expected a valid JSON body"

/** It does not say where; who has to find the comma that is too much wants to know. The body has been read, and is kept. */
const whyNotJson = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
  Effect.match(Effect.flatMap(request.text, (text) => Effect.try({ try: () => JSON.parse(text) as unknown, catch: (error) => error as SyntaxError })), {
    onSuccess: () => notJson,
    onFailure: (error) => error instanceof SyntaxError ? `${notJson}: ${positionIn(error.message)}` : notJson
  }))

/** V8 quotes the text around the mistake as well; that belongs to the client, but it may be long. */
const positionIn = (message: string): string => /at position \d+.*$/.exec(message)?.[0] ?? "it ends too early"

const ofDatabase = (fault: SqlError.SqlError, cause: Cause.Cause<unknown>) => {
  switch (sqlFaultOf(fault)) {
    case "unavailable":
      return Effect.as(tellOfOutage(fault), problem(503, "The database cannot answer now."))
    case "conflict":
      return Effect.succeed(problem(409, "Somebody else has changed the same things at the same time."))
    case "bug":
      return unexpected(cause)
  }
}

/** While the database is away, all requests fail in the same way: a line for each would bury everything else. */
const quietMillis = 1000
let quietUntil = -Infinity
let untold = 0

const tellOfOutage = (fault: SqlError.SqlError) =>
  Effect.suspend(() => {
    untold++
    if (performance.now() < quietUntil) return Effect.void
    const requests = untold
    untold = 0
    quietUntil = performance.now() + quietMillis
    return Effect.annotateLogs(Effect.logWarning("the database could not answer"), { reason: fault.reason._tag, code: codeOf(fault), requests })
  })

/** Our fault: told to the log, not to the client. */
const unexpected = (cause: Cause.Cause<unknown>) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { requestId } = NodeHttpServerRequest.toServerResponse(request) as Answer
    yield* Effect.logError("a request has failed", cause).pipe(Effect.annotateLogs({ requestId, method: request.method, path: pathOf(request.url) }))
    yield* ErrorReporter.report(cause)
    return HttpServerResponse.text(
      JSON.stringify({ ...JSON.parse(Problem.bodyOf(500, "Something went wrong here. It has been noted under the number of the request.")), instance: `urn:request:${requestId}` }),
      { status: 500, contentType: Problem.contentType }
    )
  })

export const problem = (status: number, detail?: string, headers?: Record<string, string>): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(Problem.bodyOf(status, detail), { status, contentType: Problem.contentType, ...(headers === undefined ? {} : { headers }) })

const textOf = (body: Uint8Array): string | undefined => body.length === 0 ? undefined : new TextDecoder().decode(body)

/** Without what comes after the question mark: it may hold what does not belong into a log. */
export const pathOf = (url: string): string => {
  const end = url.indexOf("?")
  return end === -1 ? url : url.slice(0, end)
}
