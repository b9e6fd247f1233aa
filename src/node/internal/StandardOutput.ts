/**
 * Standard output and error, when nobody reads them or nothing can be written.
 *
 * Without a listener Node throws such an error as an uncaught exception when a
 * program writes to the stream, and tells nobody when it uses the console.
 */

/** Hears of it. */
export interface OutputListener {
  /** The other end of standard output is closed: `| head -1`, a terminal that was closed. */
  readerGone(code: string): void
  /** Standard output could not be written: a full disk. Told each time. */
  outputLost(error: NodeJS.ErrnoException): void
}

const listeners = new Set<OutputListener>()
let installed = false

const goneCodes = new Set(["EPIPE", "EIO", "ECONNRESET", "ERR_STREAM_DESTROYED"])

const stdoutFailed = (error: NodeJS.ErrnoException): void => {
  const code = error.code ?? ""
  for (const listener of listeners) {
    if (goneCodes.has(code)) listener.readerGone(code)
    else listener.outputLost(error)
  }
}

/** Nobody is left to be told. */
const stderrFailed = (): void => {}

/** Listens to both streams, for good: what has been written may fail after the program has ended. */
export const listen = (listener: OutputListener): () => void => {
  if (!installed) {
    installed = true
    process.stdout.on("error", stdoutFailed)
    process.stderr.on("error", stderrFailed)
  }
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    // A stream that was closed says so, too, in the callback.
    if (stream.writableLength === 0) resolve()
    else stream.write("", () => resolve())
  })

/** Waits until everything that was written has gone out or failed, at most `limitMillis`. */
export const flush = async (limitMillis: number): Promise<void> => {
  const all = Promise.all([flushed(process.stdout), flushed(process.stderr)])
  await (limitMillis === Infinity ? all : Promise.race([all, new Promise((resolve) => setTimeout(resolve, limitMillis))]))
  // A stream tells its listeners of an error in a later step.
  await new Promise((resolve) => setImmediate(resolve))
}
