/** The mode in which a terminal gives each key as it is pressed, and the way back to the one in which it was found. */
import * as fs from "node:fs"

const { stdin, stdout } = process

/** What the terminal is asked for: each key as it is pressed, and marks around what is pasted. */
const enterScreen = "\u001b[?2004h"
/** And how it was before: rows wrap, the cursor is seen, pasted text has no marks. */
const leaveScreen = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?2004l"

/**
 * The terminal in the state that the screen needs. It goes back to the old one in three ways: at the end of the block, which
 * comes also when the program fails or is cancelled; at the exit of the process, should something call `process.exit`; and
 * while the program is suspended.
 */
export class RawMode {
  private entered = false

  enter(): void {
    if (this.entered) return
    this.entered = true
    stdin.setRawMode(true)
    this.write(enterScreen)
  }

  leave(last: string): void {
    if (!this.entered) return
    this.entered = false
    this.write(last + leaveScreen)
    stdin.setRawMode(false)
  }

  private write(text: string): void {
    try {
      // At the exit of a process, nothing goes out that is written later.
      fs.writeSync(stdout.fd, text)
    } catch {
      // The terminal is gone, and needs no care.
    }
  }
}
