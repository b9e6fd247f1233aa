/**
 * `POST /send-notification/`: the answer comes first, the letter is sent afterwards, in the nursery of the application.
 *
 * It is sent also when the client has gone, and a stop waits for it. It is lost when the process is killed; what must not be
 * lost is a job (../jobs).
 */
import { Effect } from "effect"
import { Api } from "../Api.ts"
import { Background } from "../Background.ts"
import { group } from "../http/Group.ts"
import { Mail } from "./Mail.ts"

export const NotificationsRoutes = group(Api, "notifications", Effect.fnUntraced(function*(handlers) {
  const background = yield* Background
  const mail = yield* Mail
  return handlers.handleAll({
    send: ({ payload: { email, message = "" } }) =>
      Effect.as(
        background.start(mail.send({ to: email, subject: "A message of the shop", text: message }), { name: "notification" }),
        { message: "The notification will be sent." }
      )
  })
}))
