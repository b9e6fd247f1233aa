/** Tells a module that is the program from one that a test imports. */
import { realpathSync } from "node:fs"

/** Whether Node was started with this module (Python: `__name__ == "__main__"`). */
export const isProgram = (module: ImportMeta): boolean => {
  const [, started] = process.argv
  return started !== undefined && realpathSync(started) === module.filename
}
