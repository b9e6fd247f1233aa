/** The Dockerfile of the storefront: as it is written, and what comes of it without Docker. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert } from "vitest"
import { plainEnv, root } from "../../node/main/start.ts"

export const folder = path.join(root, "examples/storefront")

export const read = (name: string): string => fs.readFileSync(path.join(folder, name), "utf8")

interface Instruction {
  readonly name: string
  readonly text: string
}

/** The stages of a Dockerfile, each as its instructions. */
export const stages = read("Dockerfile")
  .split("\n").filter((line) => !line.startsWith("#")).join("\n")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n").filter((line) => line.trim() !== "")
  .reduce<Array<Array<Instruction>>>((all, line) => {
    const [, name, text] = /^([A-Z]+) (.+)$/.exec(line) ?? assert.fail(`not an instruction: ${line}`)
    if (name === "FROM") all.push([])
    all.at(-1)!.push({ name: name!, text: text! })
    return all
  }, [])

export const [buildStage, image] = stages as [Array<Instruction>, Array<Instruction>]

export const of = (stage: ReadonlyArray<Instruction>, name: string): ReadonlyArray<string> => stage.filter((one) => one.name === name).map(({ text }) => text)

/** What the builder may see: the patterns after `!`; everything else is shut out. */
export const shown = read("Dockerfile.dockerignore").split("\n").filter((line) => line.startsWith("!")).map((line) => line.slice(1))

export const command = JSON.parse(of(image, "CMD")[0]!) as ReadonlyArray<string>

export const healthcheck = JSON.parse(/CMD (\[.+\])$/.exec(of(image, "HEALTHCHECK")[0]!)![1]!) as ReadonlyArray<string>

/** The Node that runs the tests, in place of the image's own. */
export const withNode = ([name, ...args]: ReadonlyArray<string>): ReadonlyArray<string> => {
  assert.strictEqual(name, "node")
  return [process.execPath, ...args]
}

const workdir = of(image, "WORKDIR")[0]!

/** Copies into `to`, which ends with a slash where more than one thing is copied. Packages are not copied, they are large: a link leads to them. */
const copy = (sources: ReadonlyArray<string>, from: string, to: string): void => {
  for (const source of sources) {
    const [file, target] = [path.join(from, source), sources.length > 1 ? path.join(to, source) : to]
    fs.mkdirSync(path.dirname(target), { recursive: true })
    if (source.includes("node_modules/")) fs.symlinkSync(fs.realpathSync(file), target, "junction")
    // What another build has left is not shown to the builder.
    else fs.cpSync(file, target, { recursive: true, filter: (name) => !name.startsWith(path.join(root, "examples/storefront/dist")) })
  }
}

/** Does what the Dockerfile says, in a folder: but the packages are those that are installed here. Returns the folder of the image. */
export const build = (inFolder: string): string => {
  const [stage, result] = [path.join(inFolder, "build"), path.join(inFolder, "image")]
  for (const { name, text } of buildStage) {
    if (name === "COPY") {
      const words = text.split(" ")
      copy(words.slice(0, -1), root, path.join(stage, words.at(-1)!))
    } else if (name === "RUN") {
      if (text.startsWith("npm ci ")) fs.symlinkSync(path.join(root, "node_modules"), path.join(stage, "node_modules"), "junction")
      else execFileSync(text, { cwd: stage, env: plainEnv(), shell: true, stdio: ["ignore", "ignore", "inherit"] })
    }
  }
  for (const text of of(image, "COPY")) {
    const [from, source, to] = text.split(" ")
    assert.strictEqual(from, "--from=build")
    copy([path.posix.relative(workdir, source!)], stage, path.join(result, to!))
  }
  return result
}
