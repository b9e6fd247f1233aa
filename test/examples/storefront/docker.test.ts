import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { help } from "../../../examples/storefront/Config.ts"
import { plainEnv, root, start } from "../../node/main/start.ts"
import { addressOf, nowhere } from "./shop.ts"
import { parse, type Yaml } from "./yaml.ts"

const folder = path.join(root, "examples/storefront")
const read = (name: string) => fs.readFileSync(path.join(folder, name), "utf8")

interface Instruction {
  readonly name: string
  readonly text: string
}

/** The stages of a Dockerfile, each as its instructions. */
const stages = read("Dockerfile")
  .split("\n").filter((line) => !line.startsWith("#")).join("\n")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n").filter((line) => line.trim() !== "")
  .reduce<Array<Array<Instruction>>>((all, line) => {
    const [, name, text] = /^([A-Z]+) (.+)$/.exec(line) ?? assert.fail(`not an instruction: ${line}`)
    if (name === "FROM") all.push([])
    all.at(-1)!.push({ name: name!, text: text! })
    return all
  }, [])

const [dependencies, image] = stages as [Array<Instruction>, Array<Instruction>]
const of = (stage: ReadonlyArray<Instruction>, name: string) => stage.filter((one) => one.name === name).map(({ text }) => text)

/** What the builder may see: the patterns after `!`; everything else is shut out. */
const shown = read("Dockerfile.dockerignore").split("\n").filter((line) => line.startsWith("!")).map((line) => line.slice(1))

describe("the image (HA42, S0-11b)", { timeout: 60_000 }, () => {
  it("has two stages of one version of Node that runs TypeScript as it is", () => {
    assert.strictEqual(stages.length, 2)
    assert.deepStrictEqual(stages.map((stage) => of(stage, "FROM")[0]!.replace(/ AS .*/, "")), ["node:24-slim", "node:24-slim"])
  })

  it("does not run as root, and nothing comes after that", () => {
    const [user] = of(image, "USER")
    assert.strictEqual(user, "node")
    const after = image.slice(image.findIndex(({ name }) => name === "USER")).map(({ name }) => name)
    for (const name of ["RUN", "COPY", "ADD"]) assert.notInclude(after, name)
  })

  it("has Node as its first process, which gets SIGTERM", () => {
    const command = JSON.parse(of(image, "CMD")[0]!) as ReadonlyArray<string>
    assert.strictEqual(command[0], "node")
    assert.isTrue(fs.existsSync(path.join(root, command.at(-1)!)))
    assert.deepStrictEqual(of(image, "ENTRYPOINT"), [])
    assert.deepStrictEqual(of(image, "STOPSIGNAL"), ["SIGTERM"])
  })

  it("copies only what is there and what the builder sees, and no secrets", () => {
    const sources = stages.flatMap((stage) => of(stage, "COPY")).filter((text) => !text.startsWith("--from")).flatMap((text) => text.split(" ").slice(0, -1))
    assert.sameMembers(sources, shown)
    for (const source of sources) assert.isTrue(fs.existsSync(path.join(root, source)), source)
    assert.match(read("Dockerfile.dockerignore"), /^\*$/m)
    assert.match(read("Dockerfile.dockerignore"), /^\*\*\/\.env$/m)
    for (const env of of(image, "ENV")) assert.match(env, /^HOST=0\.0\.0\.0 PORT=8080$/)
    assert.deepStrictEqual(of(image, "EXPOSE"), ["8080"])
  })

  it("leaves out the tools, and none of the packages that the storefront imports", () => {
    const { devDependencies } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { readonly devDependencies: Record<string, string> }
    const left = of(dependencies, "RUN")[0]!.split(" ").filter((word) => word.startsWith("devDependencies.")).map((word) => word.slice("devDependencies.".length))
    assert.includeMembers(left, ["typescript", "vitest", "oxlint", "node"])
    const imported = new Set<string>()
    for (const file of [folder, ...["core", "net", "node", "observe"].map((floor) => path.join(root, "src", floor))].flatMap((from) => fs.globSync("**/*.ts", { cwd: from }).map((name) => path.join(from, name)))) {
      // In a comment there may be examples, which import what they like.
      const code = fs.readFileSync(file, "utf8").replaceAll(/\/\*[^]*?\*\//g, "")
      for (const [, name] of code.matchAll(/^(?:import|export) (?:[^"]*? from )?"((?:@[\w-]+\/)?[\w-]+)(?:\/[\w/-]+)?"/gm)) imported.add(name!)
    }
    assert.includeMembers([...imported], ["effect", "effect-nursery", "@effect/sql-pg", "@electric-sql/pglite"])
    for (const name of imported) if (name !== "effect-nursery") assert.isTrue(Object.hasOwn(devDependencies, name) && !left.includes(name), name)
  })

  it("runs from what it copies, is found healthy, and ends at SIGTERM", async () => {
    const app = fs.mkdtempSync(path.join(os.tmpdir(), "storefront-image-"))
    try {
      for (const source of shown) {
        fs.mkdirSync(path.dirname(path.join(app, source)), { recursive: true })
        fs.cpSync(path.join(root, source), path.join(app, source), { recursive: true })
      }
      fs.symlinkSync(path.join(root, "node_modules"), path.join(app, "node_modules"))
      const command = JSON.parse(of(image, "CMD")[0]!) as ReadonlyArray<string>
      const program = start(path.relative(root, path.join(app, command.at(-1)!)), [], { env: { PORT: "0", HOST: "127.0.0.1", DATABASE_URL: nowhere, REDIS_URL: "" } })
      const url = await addressOf(program)
      const check = JSON.parse(/CMD (\[.+\])$/.exec(of(image, "HEALTHCHECK")[0]!)![1]!) as ReadonlyArray<string>
      assert.strictEqual(check[0], "node")
      const checked = (port: string) => spawnSync(process.execPath, [path.join(app, check[1]!)], { env: plainEnv({ PORT: port }), encoding: "utf8", timeout: 20_000 })
      assert.deepInclude(checked(new URL(url).port), { status: 0, stdout: "", stderr: "" })
      program.kill("SIGTERM")
      assert.strictEqual((await program.ended).code, 0)
      // And now it is not healthy any more.
      assert.strictEqual(checked(new URL(url).port).status, 1)
    } finally {
      fs.rmSync(app, { recursive: true, force: true })
    }
  })
})

describe("the compose file (HA42)", () => {
  const { services, volumes } = parse(read("compose.yaml")) as any as { readonly services: Record<string, any>; readonly volumes: Record<string, Yaml> }

  it("builds the storefront from the root of the repository", () => {
    const { build } = services["storefront"]
    assert.strictEqual(path.resolve(folder, build.context), root)
    assert.isTrue(fs.existsSync(path.join(root, build.dockerfile)))
  })

  it("starts it when PostgreSQL and Redis are healthy, which they say themselves", () => {
    assert.deepStrictEqual(services["storefront"].depends_on, { postgres: { condition: "service_healthy" }, redis: { condition: "service_healthy" } })
    for (const name of ["postgres", "redis"]) {
      assert.match(services[name].image, /^[a-z]+:\d+$/)
      assert.strictEqual(services[name].healthcheck.test[0], "CMD")
    }
  })

  it("lets nobody in but by the storefront, from this machine", () => {
    assert.deepStrictEqual(services["storefront"].ports, ["127.0.0.1:8080:8080"])
    for (const name of ["postgres", "redis"]) assert.isUndefined(services[name].ports)
    assert.strictEqual(services["storefront"].read_only, "true")
    assert.deepStrictEqual(services["storefront"].cap_drop, ["ALL"])
  })

  it("sets only what the storefront knows, with addresses of its own services", () => {
    const { environment } = services["storefront"] as { readonly environment: Record<string, string> }
    for (const name of Object.keys(environment)) assert.include(help, name)
    for (const name of ["DATABASE_URL", "REDIS_URL"]) assert.include(Object.keys(services), new URL(environment[name]!.replaceAll(/\$\{[^}]+\}/g, "word")).hostname)
    // The same word on both sides.
    assert.include(environment["DATABASE_URL"], services["postgres"].environment.POSTGRES_PASSWORD)
    assert.include(environment["DATABASE_URL"], `//${services["postgres"].environment.POSTGRES_USER}:`)
    assert.isTrue(environment["DATABASE_URL"]!.endsWith(`/${services["postgres"].environment.POSTGRES_DB}`))
  })

  it("waits longer for the end than the storefront needs at most", () => {
    // The grace and the cleanup of the program.
    assert.isAbove(Number.parseInt(services["storefront"].stop_grace_period), 5 + 4)
  })

  it("names each volume that it uses", () => {
    assert.deepStrictEqual(Object.keys(volumes), ["postgres"])
    assert.match(services["postgres"].volumes[0], /^postgres:/)
  })

  it("is refused by its reader when it is not what it looks like", () => {
    for (const wrong of ["a: 1\n\tb: 2\n", "a: 1\na: 2\n", "a:\n    b: 1\n  c: 2\n", "a: [1\n", "- a\nb: 1\n", "a: b: c\n"]) assert.throws(() => parse(wrong))
  })
})
