/** What is typed, or what comes through a pipe, as a stream that reads no faster than it is used. */
import { Effect, Option, Stream } from "effect"

const { stdin } = process

// `readable` says that there is something to read or that the end has come. Node reads nothing more until it was taken.
const read = Effect.callback<Option.Option<Uint8Array>>((resume) => {
  const forget = () => {
    stdin.off("readable", look).off("end", look)
  }
  const look = () => {
    const bytes: Uint8Array | null = stdin.read()
    if (bytes === null && !stdin.readableEnded) return
    forget()
    resume(Effect.succeed(Option.fromNullOr(bytes)))
  }
  stdin.on("readable", look).on("end", look)
  look()
  return Effect.sync(forget)
})

/** Ends with the input (Ctrl-D). Who leaves it earlier closes the input, so that it does not keep the program. */
export const keyboard: Stream.Stream<Uint8Array> = Stream.fromEffectRepeat(read).pipe(
  Stream.takeWhile(Option.isSome),
  Stream.map((bytes) => bytes.value),
  Stream.ensuring(Effect.sync(() => stdin.destroy()))
)
