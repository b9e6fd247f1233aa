/** Programs in a terminal, with keys pressed: through Python's pty module, because Node has none. */
import { execFileSync, spawn } from "node:child_process"
import { root } from "./start.ts"

const script = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
steps = json.loads(sys.argv[1])
rows, columns = json.loads(sys.argv[2])
command = sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(command[0], command)
printed = b""
seen = 0
status = None
deadline = time.monotonic() + 50
while True:
    while steps:
        text, keys = steps[0]
        found = printed.find(text.encode(), seen)
        if found < 0:
            break
        seen = found + len(text.encode())
        steps.pop(0)
        os.write(terminal, keys.encode())
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        printed += data
    if time.monotonic() > deadline:
        os.killpg(pid, signal.SIGKILL)
        break
_, status = os.waitpid(pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "printed": printed.decode(), "left": len(steps)}))
`

/** Ctrl-C and Ctrl-\, as a keyboard sends them. */
export const ctrlC = "\u0003"
export const ctrlBackslash = "\u001c"

export interface Typed {
  /** Negative: the signal that ended it. */
  readonly code: number
  /** What stood on the terminal. */
  readonly printed: string
}

const hasPython = (): boolean => {
  try {
    execFileSync("python3", ["-c", "import pty"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Whether tests with a terminal can run. Without Python they are skipped with a notice; with CI=true they fail instead. */
export const terminalWorks: boolean = hasPython() || process.env["CI"] === "true"
if (!terminalWorks) console.warn("No python3: the tests that need a terminal are skipped.")

/** Runs a command in a terminal. Each step is what must have been printed, and the keys that are pressed then. */
export const typed = (
  command: ReadonlyArray<string>,
  steps: ReadonlyArray<readonly [prints: string, keys: string]>,
  options: { readonly env: NodeJS.ProcessEnv; readonly size?: readonly [rows: number, columns: number] }
): Promise<Typed> =>
  new Promise((resolve, reject) => {
    const args = ["-c", script, JSON.stringify(steps), JSON.stringify(options.size ?? [24, 80]), ...command]
    const child = spawn("python3", args, { cwd: root, env: { ...options.env, TERM: "xterm" }, stdio: ["ignore", "pipe", "inherit"] })
    let json = ""
    child.stdout.on("data", (chunk) => json += String(chunk))
    child.on("error", reject)
    child.on("close", () => {
      try {
        const result = JSON.parse(json) as Typed & { readonly left: number }
        if (result.left > 0) reject(new Error(`${result.left} of the steps were not reached, printed was:\n${result.printed}`))
        else resolve({ code: result.code, printed: result.printed.replaceAll("\r\n", "\n") })
      } catch (error) {
        reject(error)
      }
    })
  })
