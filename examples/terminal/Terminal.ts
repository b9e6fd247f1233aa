/**
 * The thin part between the models of this folder and a real terminal: what is typed comes in, what is printed goes out
 * above it, and however the program ends, the terminal is left as it was found.
 *
 * Where standard input or output is no terminal (a pipe, a file, or one that says `TERM=dumb`), the same program works with
 * plain lines: each line of the input was entered, each message is a line of the output.
 */
import { Console, Effect, Option, Stream } from "effect"
import { MemoryChannel, Nursery, Watch } from "effect-nursery"
import { keyboard } from "../support/keyboard.ts"
import { print } from "../support/print.ts"
import { type Outcome, press } from "./Editor.ts"
import { type Key, KeyDecoder } from "./Keys.ts"
import { type Line, writtenPlain } from "./Line.ts"
import { RawMode } from "./RawMode.ts"
import * as Screen from "./Screen.ts"

/** What a user does: a line was entered, or Ctrl-C was pressed. */
export type Entered = Extract<Outcome, { readonly _tag: "Entered" | "Interrupt" }>

export interface Terminal {
  /** Whether somebody sits at a screen. If not, there are no notes and no prompt. */
  readonly interactive: boolean
  /** Prints messages above the input. Waits when the screen does not keep up. */
  print(...lines: ReadonlyArray<Line>): Effect.Effect<void>
  /** Prints what is wrong: on a screen as any message, else on standard error. */
  complain(line: Line): Effect.Effect<void>
  /** Puts these lines between the messages and the input, in place of those that were there. */
  notes(lines: ReadonlyArray<Line>): Effect.Effect<void>
  /** Changes what stands before the input. */
  prompt(line: Line): Effect.Effect<void>
  /**
   * What the user does next; `None` for Ctrl-D or the end of the input. Somebody at a screen may still press Ctrl-C after
   * Ctrl-D, out of impatience. When it is cancelled, nothing is lost.
   */
  readonly next: Effect.Effect<Option.Option<Entered>>
  /** How many columns a message has before it wraps. */
  readonly columns: number
}

const { stdin, stdout } = process

/** See https://no-color.org: any value but the empty one means no colours. */
const wantsColours = (): boolean => stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"

const isScreen = (): boolean => stdin.isTTY && stdout.isTTY && process.env["TERM"] !== "dumb"

/**
 * Gives a terminal to `use`, for as long as that runs. Who reads the keys, and who writes to the screen, are tasks of one
 * nursery. As services they live as long as `use` and hold nothing up.
 */
export const withTerminal = <A, E, R>(use: (terminal: Terminal) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => isScreen() ? withScreen(use) : withLines(use))

type Did = Entered | Extract<Outcome, { readonly _tag: "End" }>

const nextOf = (receiver: MemoryChannel.Receiver<Did>): Terminal["next"] =>
  receiver.receive.pipe(
    Effect.map((did) => did._tag === "End" ? Option.none() : Option.some(did)),
    Effect.catchTag(["EndOfChannel", "Closed"], () => Effect.succeedNone)
  )

/**
 * Runs `use` beside these services. Of an `R` that it does not know yet, TypeScript cannot say what `open` takes out of it;
 * it takes out nothing, so it is set aside and added again.
 */
const beside = <A, E, R>(services: Readonly<Record<string, Effect.Effect<unknown>>>, use: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Nursery.open(
    (parts) =>
      Effect.gen(function*() {
        for (const [name, service] of Object.entries(services)) yield* parts.startNow(service, { name, service: true })
        return yield* use as Effect.Effect<A, E>
      }),
    { name: "terminal" }
  ) as Effect.Effect<A, E, R>

// ---------------------------------------------------------------------------------------------------------------------

/** Lines in, lines out: for pipes and files. */
const withLines = <A, E, R>(use: (terminal: Terminal) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    // Nothing is buffered: a long file is read as fast as it is used.
    const [sender, receiver] = yield* MemoryChannel.make<Did>(0, { name: "entered" })
    const readLines = keyboard.pipe(
      Stream.decodeText,
      Stream.splitLines,
      Stream.runForEach((text) => Effect.ignore(sender.send({ _tag: "Entered", text }))),
      Effect.ensuring(sender.close)
    )
    const colours = wantsColours()
    const terminal: Terminal = {
      interactive: false,
      print: (...lines) => print(Buffer.from(lines.map((line) => `${writtenPlain(line, colours)}\n`).join(""))),
      complain: (line) => Console.error(writtenPlain(line, false)),
      notes: () => Effect.void,
      prompt: () => Effect.void,
      next: nextOf(receiver),
      columns: stdout.columns ?? Infinity
    }
    return yield* beside({ lines: readLines }, use(terminal))
  })

// ---------------------------------------------------------------------------------------------------------------------

/** With more than this on its way, who prints has to wait. */
const mostUnwritten = 1_000

const sizeNow = (): Screen.Size => ({ rows: stdout.rows ?? 0, columns: stdout.columns ?? 0 })

const withScreen = <A, E, R>(use: (terminal: Terminal) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const screen = yield* Watch.make(Screen.makeScreen(sizeNow(), wantsColours()), { name: "screen" })
    const [sender, receiver] = yield* MemoryChannel.make<Did>(Infinity, { name: "entered" })
    const mode = new RawMode()
    const restore = () => mode.leave(Screen.leave(screen.get))
    const services = {
      paint: paintScreen(screen),
      resize: followSize(screen),
      "come back": comeBack(screen, mode),
      keys: readKeys(screen, sender, restore)
    }
    return yield* Effect.acquireUseRelease(
      Effect.sync(() => {
        mode.enter()
        process.once("exit", restore)
      }),
      () => beside(services, use(screenTerminal(screen, receiver))),
      () =>
        Effect.sync(() => {
          process.off("exit", restore)
          restore()
        })
    )
  })

const screenTerminal = (screen: Watch.Watch<Screen.Screen>, receiver: MemoryChannel.Receiver<Did>): Terminal => {
  const printLines = (...lines: ReadonlyArray<Line>) =>
    screen.update((now) => Screen.addMessages(now, lines)).pipe(
      Effect.andThen(screen.waitUntil((now) => now.unwritten.length <= mostUnwritten)),
      Effect.asVoid
    )
  return {
    interactive: true,
    print: printLines,
    complain: printLines,
    notes: (lines) => Effect.asVoid(screen.update((now) => Screen.setNotes(now, lines))),
    prompt: (line) => Effect.asVoid(screen.update((now) => Screen.setPrompt(now, line))),
    next: nextOf(receiver),
    get columns() {
      return screen.get.size.columns
    }
  }
}

/**
 * Writes what has changed. However many changes there were since it last ran, it writes once: a thousand messages that come
 * together cost one write, and the line that is being typed is drawn once behind them.
 */
const paintScreen = (screen: Watch.Watch<Screen.Screen>) =>
  Stream.runForEach(screen.changes, () =>
    Effect.suspend(() => {
      const [next, bytes] = Screen.paint(screen.get)
      if (bytes === "") return Effect.void
      // Both or neither, also when this task is cancelled because all is over: or the last words would be lost.
      return Effect.uninterruptible(Effect.andThen(screen.set(next), print(Buffer.from(bytes))))
    }))

/** Keeps the size of the window. */
const followSize = (screen: Watch.Watch<Screen.Screen>) => {
  const differs = () => {
    const { columns, rows } = sizeNow()
    return columns > 0 && rows > 0 && (columns !== screen.get.size.columns || rows !== screen.get.size.rows)
  }
  const resized = Effect.callback<void>((resume) => {
    const look = () => resume(Effect.void)
    stdout.on("resize", look)
    // It may have been resized while nobody listened.
    if (differs()) look()
    return Effect.sync(() => void stdout.off("resize", look))
  })
  return resized.pipe(
    Effect.andThen(Effect.suspend(() => differs() ? screen.update((now) => Screen.resize(now, sizeNow())) : Effect.void)),
    Effect.forever
  )
}

/** After Ctrl-Z and `fg`: the shell has had the terminal meanwhile, and its state is not ours any more. */
const comeBack = (screen: Watch.Watch<Screen.Screen>, mode: RawMode) => {
  const continued = Effect.callback<void>((resume) => {
    const look = () => resume(Effect.void)
    process.once("SIGCONT", look)
    return Effect.sync(() => void process.off("SIGCONT", look))
  })
  return continued.pipe(
    Effect.andThen(Effect.sync(() => mode.enter())),
    Effect.andThen(screen.update(Screen.redraw)),
    Effect.forever
  )
}

/** Takes keys until the end of the input. Each changes the model; some of them mean something to the program. */
const readKeys = (screen: Watch.Watch<Screen.Screen>, sender: MemoryChannel.Sender<Did>, restore: () => void) => {
  const decoder = new KeyDecoder()
  const pressed = (key: Key) =>
    Effect.suspend(() => {
      const { editor, outcome } = press(screen.get.editor, key)
      const edited = screen.update((now) => Screen.setEditor(now, editor))
      return Effect.andThen(edited, heeded(outcome))
    })
  const heeded = (outcome: Outcome | undefined): Effect.Effect<unknown> => {
    switch (outcome?._tag) {
      case "Entered":
      case "Interrupt":
      case "End":
        return Effect.ignore(sender.send(outcome))
      case "Redraw":
        return screen.update(Screen.redraw)
      case "Suspend":
        return Effect.sync(() => {
          restore()
          // Everybody in the foreground, as the terminal itself would do it: `npm run` has started us, and must stop too.
          process.kill(0, "SIGTSTP")
        })
      case "Full":
        return print(bell)
      default:
        return Effect.void
    }
  }
  return keyboard.pipe(
    Stream.flatMap((bytes) => Stream.fromIterable(decoder.push(bytes))),
    Stream.runForEach(pressed),
    Effect.ensuring(sender.close)
  )
}

const bell = Buffer.from("\u0007")

