/** `GET /jobs/{id}`. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../Api.ts"
import { Jobs } from "./Jobs.ts"

export const JobsRoutes = HttpApiBuilder.group(Api, "jobs", Effect.fnUntraced(function*(handlers) {
  const jobs = yield* Jobs
  return handlers.handleAll({ get: ({ params }) => jobs.get(params.job_id) })
}))
