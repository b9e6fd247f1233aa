/** `GET /jobs/{id}`. */
import { Effect } from "effect"
import { Api } from "../Api.ts"
import { group } from "../http/Group.ts"
import { Jobs } from "./Jobs.ts"

export const JobsRoutes = group(Api, "jobs", Effect.fnUntraced(function*(handlers) {
  const jobs = yield* Jobs
  return handlers.handleAll({ get: ({ params }) => jobs.get(params.job_id) })
}))
