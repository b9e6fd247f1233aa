import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { help } from "../../../examples/storefront/Config.ts"
import { root } from "../../node/main/start.ts"
import { buildStage, command, folder, image, of, read, shown, stages } from "./image.ts"
import { parse, type Yaml } from "./yaml.ts"

describe("the image (HA42, S0-11b)", () => {
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
    assert.strictEqual(command[0], "node")
    assert.deepStrictEqual(of(image, "ENTRYPOINT"), [])
    assert.deepStrictEqual(of(image, "STOPSIGNAL"), ["SIGTERM"])
  })

  it("copies only what is there and what the builder sees, and no secrets", () => {
    const sources = stages.flatMap((stage) => of(stage, "COPY")).filter((text) => !text.startsWith("--from")).flatMap((text) => text.split(" ").slice(0, -1))
    assert.sameMembers(sources, shown)
    for (const source of sources) assert.isTrue(fs.existsSync(path.join(root, source)), source)
    assert.match(read("Dockerfile.dockerignore"), /^\*$/m)
    for (const hidden of ["**/.env", "**/dist"]) assert.include(read("Dockerfile.dockerignore").split("\n"), hidden)
    for (const env of of(image, "ENV")) assert.match(env, /^HOST=0\.0\.0\.0 PORT=8080$/)
    assert.deepStrictEqual(of(image, "EXPOSE"), ["8080"])
  })

  it("installs what the lock file says, and has what was built of it, and nothing else of the repository", () => {
    assert.match(of(buildStage, "RUN")[0]!, /^npm ci /)
    for (const text of of(image, "COPY")) assert.match(text, /^--from=build /)
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
