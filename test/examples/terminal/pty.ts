/**
 * Programs in a terminal, with a screen to look at and keys to press. Python's pty module makes the terminal, because Node
 * has none; a small script passes on what is typed and what is written, and at the end it tells how the terminal was left.
 */
import { spawn } from "node:child_process"
import { plainEnv, root } from "../../node/main/start.ts"
import { VirtualScreen } from "./VirtualScreen.ts"

export { terminalWorks } from "../../node/main/terminal.ts"

const script = `
import base64, fcntl, json, os, pty, select, signal, struct, sys, termios
rows, columns = json.loads(sys.argv[1])
command = sys.argv[2:]

def say(what):
    print(json.dumps(what), flush=True)

def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

pid, terminal = pty.fork()
if pid == 0:
    size(0, rows, columns)
    os.execvp(command[0], command)
say({"pid": pid})
before = termios.tcgetattr(terminal)
commands = b""
unwritten = b""
while True:
    ready, writable, _ = select.select([terminal, 0], [terminal] if unwritten else [], [], 1)
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        say({"written": base64.b64encode(data).decode()})
    if writable:
        unwritten = unwritten[os.write(terminal, unwritten[:1024]):]
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            os.kill(pid, signal.SIGKILL)
            break
        commands += data
        while b"\\n" in commands:
            line, commands = commands.split(b"\\n", 1)
            todo = json.loads(line)
            if "keys" in todo:
                unwritten += todo["keys"].encode()
            if "size" in todo:
                size(terminal, *todo["size"])
_, status = os.waitpid(pid, 0)
try:
    after = termios.tcgetattr(terminal)
except termios.error:
    after = None
# Input, output and local modes: whether it echoes, whether it waits for Enter.
say({"code": os.waitstatus_to_exitcode(status), "restored": after is not None and [before[i] for i in (0, 1, 3)] == [after[i] for i in (0, 1, 3)]})
`

export interface Left {
  /** Negative: the signal that ended it. */
  readonly code: number
  /** Whether the terminal is in the mode in which it was before. */
  readonly restored: boolean
}

export interface Pty {
  readonly screen: VirtualScreen
  /** Everything that was written to the terminal. */
  readonly written: () => string
  readonly pid: number
  readonly type: (keys: string) => void
  readonly resize: (rows: number, columns: number) => void
  readonly signal: (signal: NodeJS.Signals) => void
  /** Waits until the screen is like this; fails with the screen when the program has ended. */
  readonly until: (holds: (screen: VirtualScreen) => boolean, what?: string) => Promise<void>
  /** Waits until this stands on the screen. */
  readonly shows: (text: string) => Promise<void>
  readonly left: Promise<Left>
}

/** So long a program may run, and a test may wait for its screen. */
const watchdogMillis = 50_000

type Told =
  | { readonly pid: number }
  | { readonly written: string }
  | Left

export const openPty = async (
  command: ReadonlyArray<string>,
  options: { readonly rows: number; readonly columns: number; readonly env?: NodeJS.ProcessEnv }
): Promise<Pty> => {
  const { columns, rows } = options
  const env = { ...plainEnv(options.env), TERM: options.env?.["TERM"] ?? "xterm", TZ: "UTC" }
  const python = spawn("python3", ["-c", script, JSON.stringify([rows, columns]), ...command], { cwd: root, env, stdio: ["pipe", "pipe", "inherit"] })
  const screen = new VirtualScreen(rows, columns)
  const decoder = new TextDecoder()
  const looking = new Set<() => void>()
  let written = ""
  let left: Left | undefined
  let pid = 0
  let rest = ""
  const watchdog = setTimeout(() => python.stdin.end(), watchdogMillis)
  const ended = new Promise<Left>((resolve, reject) => {
    python.on("error", reject)
    python.on("close", () => {
      clearTimeout(watchdog)
      for (const look of looking) look()
      if (left === undefined) reject(new Error(`the program had not ended after ${watchdogMillis / 1000} seconds:\n${screen.text}`))
      else resolve(left)
    })
  })
  ended.catch(() => {})
  const tell = (what: unknown) => void python.stdin.write(`${JSON.stringify(what)}\n`)
  python.stdin.on("error", () => {})
  const started = new Promise<void>((resolve) => {
    const told = (what: Told) => {
      if ("pid" in what) {
        pid = what.pid
        resolve()
      } else if ("written" in what) {
        const text = decoder.decode(Buffer.from(what.written, "base64"), { stream: true })
        written += text
        screen.write(text)
        for (const look of looking) look()
      } else left = what
    }
    python.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop()!
      for (const line of lines) told(JSON.parse(line) as Told)
    })
  })
  await started
  const until = (holds: (screen: VirtualScreen) => boolean, what = "the screen as expected") =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (holds(screen)) resolve()
        else if (python.exitCode !== null || left !== undefined) reject(new Error(`the program has ended without ${what}:\n${screen.text}`))
        else return
        looking.delete(look)
      }
      looking.add(look)
      look()
    })
  return {
    screen,
    written: () => written,
    pid,
    type: (keys) => tell({ keys }),
    resize: (rows, columns) => {
      screen.resize(rows, columns)
      tell({ size: [rows, columns] })
    },
    signal: (signal) => void process.kill(pid, signal),
    until,
    shows: (text) => until((screen) => screen.text.includes(text), JSON.stringify(text)),
    left: ended
  }
}
