/** The contract of the jobs: one may look at them. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Problem from "../Problem.ts"

export const JobId = Schema.String.check(Schema.isUUID(4))

export const JobView = Schema.Struct({
  job_id: JobId,
  kind: Schema.String,
  /** `waiting` for its time or for the next attempt, `running`, `done`, or `dead`: given up. */
  state: Schema.Literals(["waiting", "running", "done", "dead"]),
  attempts: Schema.Int,
  max_attempts: Schema.Int,
  /** Why the last attempt has failed. */
  error: Schema.NullOr(Schema.String)
})

export class JobsGroup extends HttpApiGroup.make("jobs").add(
  HttpApiEndpoint.get("get", "/jobs/:job_id", {
    params: { job_id: JobId },
    success: JobView,
    error: [Problem.BadRequest, Problem.NotFound, Problem.Unavailable]
  })
) {}
