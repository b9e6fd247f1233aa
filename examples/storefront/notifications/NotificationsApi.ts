/** The contract of the notifications: they are sent after the answer. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Email, Text } from "../Values.ts"

export const Notification = Schema.Struct({ email: Email, message: Schema.optionalKey(Text) })

export class NotificationsGroup extends HttpApiGroup.make("notifications").add(
  HttpApiEndpoint.post("send", "/send-notification/", {
    payload: Notification,
    success: Schema.Struct({ message: Schema.String }).pipe(HttpApiSchema.status(202)),
    error: [Problem.BadRequest, Problem.PayloadTooLarge]
  })
) {}
