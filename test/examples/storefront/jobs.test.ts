import { Duration, Effect, Logger, Schema } from "effect"
import { Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import type { Database } from "../../../examples/storefront/database/Database.ts"
import { GiveUp, type Handler, handler, type Kind } from "../../../examples/storefront/jobs/Job.ts"
import * as JobTable from "../../../examples/storefront/jobs/JobTable.ts"
import { perform } from "../../../examples/storefront/jobs/JobRun.ts"
import { start } from "../../node/main/start.ts"
import { eventually, json } from "./asking.ts"
import { databases, openShop, postgres } from "./databases.ts"
import { type Bench, openBench } from "./jobWorkers.ts"
import { addressOf, startProgram } from "./shop.ts"

const kind = (name: string, maxAttempts = 3): Kind<{ readonly n: number }> => ({ name, payload: Schema.Struct({ n: Schema.Int }), maxAttempts })

const count = (logs: Bench["logs"], level: string, message: string) => logs.filter((line) => line.level === level && JSON.stringify(line.message).includes(message)).length

for (const [name, server] of databases) {
  describe(`jobs on ${name}`, { timeout: 60_000 }, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await openBench(server)
    }, 60_000)

    // Those of a test that has failed would take the jobs of the next.
    afterEach(() => bench.stopAll())
    afterAll(() => bench.close())

    const add = (job: Kind<{ readonly n: number }>, n = 0) => bench.sql((sql) => bench.jobs.add(sql, job, { n }))

    it("runs each job once, so many at a time as there are workers, in however many processes (HA22)", async () => {
      const each = kind("each")
      const runs = new Map<number, number>()
      const peaks = [0, 0]
      const now = [0, 0]
      const counting = (pool: number) => handler(each, ({ n }) =>
        Effect.gen(function*() {
          runs.set(n, (runs.get(n) ?? 0) + 1)
          peaks[pool] = Math.max(peaks[pool]!, ++now[pool]!)
          yield* Effect.sleep("5 millis")
          now[pool]!--
        }))
      const pools = [bench.workers([counting(0)], { workers: 3 }), bench.workers([counting(1)], { workers: 2 })]
      const ids = await Promise.all(Array.from({ length: 40 }, (_, n) => add(each, n)))
      for (const id of ids) assert.strictEqual((await bench.reaches(id, "done"))["attempts"], 1)
      await Promise.all(pools.map((pool) => pool.stop()))
      assert.deepStrictEqual([...runs.values()], Array.from({ length: 40 }, () => 1))
      assert.isAtMost(peaks[0]!, 3)
      assert.isAtMost(peaks[1]!, 2)
    })

    it("has a job if and only if the transaction that wrote it down is there", async () => {
      const seen: Array<number> = []
      const noted = kind("noted")
      await bench.sql((sql) => Effect.exit(sql.withTransaction(Effect.andThen(bench.jobs.add(sql, noted, { n: 1 }), Effect.fail("undone")))))
      const id = await bench.sql((sql) => sql.withTransaction(bench.jobs.add(sql, noted, { n: 2 })))
      const workers = bench.workers([handler(noted, ({ n }) => Effect.sync(() => void seen.push(n)))])
      await bench.reaches(id, "done")
      await workers.stop()
      assert.deepStrictEqual(seen, [2])
    })

    it("is looked at as soon as the bell rings", async () => {
      const rung = kind("rung")
      const workers = bench.workers([handler(rung, () => Effect.void)], { poll: Duration.hours(1) })
      // The workers have looked, and found nothing: from here on only the bell wakes them.
      const first = await add(rung)
      await Effect.runPromise(bench.jobs.ring)
      await bench.reaches(first, "done")
      const second = await add(rung)
      await Effect.runPromise(bench.jobs.ring)
      await bench.reaches(second, "done")
      await workers.stop()
    })

    it("tries a job again that has failed, after longer and longer waits, and gives it up at last", async () => {
      const attempts: Array<number> = []
      const workers = bench.workers([
        handler(kind("third-time"), ({ n }) => Effect.suspend(() => attempts.push(n) < 3 ? Effect.fail(new Error("not yet")) : Effect.void)),
        handler(kind("never", 3), () => Effect.fail(new Error("the printer has no paper"))),
        handler(kind("broken", 1), () => Effect.die(new Error("a secret of the inside")))
      ])
      const [third, never, broken] = [await add(kind("third-time")), await add(kind("never", 3)), await add(kind("broken", 1))]
      const done = await bench.reaches(third, "done")
      assert.deepStrictEqual([done["attempts"], done["error"], attempts.length], [3, null, 3])
      const dead = await bench.reaches(never, "dead")
      assert.deepStrictEqual([dead["attempts"], dead["error"]], [3, "the printer has no paper"])
      // What nobody has thought of is told to the log alone.
      const buried = await bench.reaches(broken, "dead")
      assert.deepStrictEqual([buried["attempts"], buried["error"]], [1, "something unexpected went wrong; the log says what"])
      await workers.stop()
      assert.strictEqual(count(bench.logs, "ERROR", "given up"), 2)
      assert.include(bench.logs.map((line) => String(line.cause)).join("\n"), "a secret of the inside")
      const waits = bench.logs.filter((line) => line.annotations["kind"] === "never").flatMap(({ annotations }) => annotations["afterMillis"] as number ?? [])
      assert.strictEqual(waits.length, 2)
      // 20 and 40 milliseconds, each a quarter more or less.
      assert.ok(waits[0]! >= 15 && waits[0]! <= 25 && waits[1]! >= 30 && waits[1]! <= 50)
    })

    it("gives a job up at once when trying again would not help", async () => {
      const workers = bench.workers([
        handler(kind("hopeless"), () => Effect.fail(new GiveUp({ why: "the order is gone" }))),
        handler(kind("strange"), () => Effect.fail(new GiveUp({ why: `a\0b \ud800 \u{1F9EA} ${"x".repeat(5000)}` }))),
        handler(kind("strict"), () => Effect.void)
      ])
      const hopeless = await bench.reaches(await add(kind("hopeless")), "dead")
      assert.deepStrictEqual([hopeless["attempts"], hopeless["error"]], [1, "the order is gone"])
      const strange = await bench.reaches(await add(kind("strange")), "dead")
      assert.match(strange["error"], /^a\ufffdb \ufffd \u{1F9EA} x{991}$/u)
      const unknown = await bench.reaches(await add(kind("unheard-of")), "dead")
      assert.strictEqual(unknown["error"], "nobody here knows how to do a job of the kind \"unheard-of\"")
      const [{ job_id }] = await bench.sql((sql) => sql<{ job_id: string }>`insert into job (kind, payload, max_attempts) values ('strict', '{"n":"one"}', 3) returning job_id`) as [{ job_id: string }]
      assert.match((await bench.reaches(job_id, "dead"))["error"], /^the payload is not of the kind strict/)
      await workers.stop()
    })

    it("ends the job in hand when it is asked to stop, and takes no other (HA22)", async () => {
      const slow = kind("slow")
      const gate = gateOf()
      const workers = bench.workers([handler(slow, () => gate.pass)], { workers: 1 })
      const first = await add(slow)
      const second = await add(slow)
      await gate.reached
      const stopped = workers.stop()
      gate.open()
      await stopped
      assert.strictEqual((await bench.reaches(first, "done"))["attempts"], 1)
      assert.strictEqual((await bench.reaches(second, "waiting"))["attempts"], 0)
      await bench.sql((sql) => sql`delete from job where job_id = ${second}`)
    })

    it("gives the job in hand back when the grace has ended, so that others begin it at once", async () => {
      const handed = kind("handed")
      const gate = gateOf()
      const first = bench.workers([handler(handed, () => gate.pass)], { lease: Duration.hours(1) })
      const id = await add(handed)
      await gate.reached
      await first.stop(0)
      assert.strictEqual((await bench.reaches(id, "waiting"))["attempts"], 0)
      const second = bench.workers([handler(handed, () => Effect.void)])
      assert.strictEqual((await bench.reaches(id, "done"))["attempts"], 1)
      await second.stop()
    })

    it("renews the lease of a job that takes long, so that nobody else begins it", async () => {
      const long = kind("long")
      const gate = gateOf()
      let runs = 0
      const counted = handler(long, () => Effect.suspend(() => {
        runs++
        return gate.pass
      }))
      const pools = [bench.workers([counted], { lease: Duration.seconds(4) }), bench.workers([counted], { lease: Duration.seconds(4) })]
      const id = await add(long)
      await gate.reached
      const dueAt = async () => Number((await bench.reaches(id, "running"))["due_at"])
      const first = await dueAt()
      await eventually(async () => await dueAt() > first + 1000 || undefined, "the lease is renewed")
      gate.open()
      assert.strictEqual((await bench.reaches(id, "done"))["attempts"], 1)
      assert.strictEqual(runs, 1)
      await Promise.all(pools.map((pool) => pool.stop()))
    })

    it("stops working at a job that somebody else has taken over, and writes nothing", async () => {
      const taken = kind("taken")
      const gate = gateOf()
      let cleaned = false
      const workers = bench.workers([handler(taken, () => Effect.ensuring(gate.pass, Effect.sync(() => void (cleaned = true))))], { lease: Duration.seconds(3) })
      const id = await add(taken)
      await gate.reached
      // As another worker would, after this one was not heard of.
      await bench.sql((sql) => sql`update job set lease = gen_random_uuid(), due_at = now() + interval '1 hour' where job_id = ${id}`)
      await eventually(() => cleaned || undefined, "the work has been cancelled")
      await workers.stop()
      assert.strictEqual((await bench.reaches(id, "running"))["attempts"], 1)
      assert.strictEqual(count(bench.logs, "WARN", "left to another worker"), 1)
    })

    it("is its worker's up to the next claim: a heartbeat that comes after the end takes nothing away, and changes nothing", async () => {
      const lease = Duration.minutes(1)
      const id = await add(kind("ended"))
      const claimed = (await bench.sql((sql) => JobTable.claim(sql, lease)))!
      assert.strictEqual(claimed.job_id, id)
      await bench.sql((sql) => JobTable.postpone(sql, claimed, "not yet", Duration.zero))
      const before = await bench.reaches(id, "waiting")
      assert.ok(await bench.sql((sql) => JobTable.renew(sql, claimed, lease)))
      assert.deepStrictEqual(await bench.reaches(id, "waiting"), before)
      const again = (await bench.sql((sql) => JobTable.claim(sql, lease)))!
      assert.deepStrictEqual([again.job_id, again.attempts], [id, 2])
      assert.ok(!await bench.sql((sql) => JobTable.renew(sql, claimed, lease)))
      // Whoever has lost it ends nothing.
      await bench.sql((sql) => JobTable.done(sql, claimed))
      await bench.reaches(id, "running")
      await bench.sql((sql) => JobTable.done(sql, again))
      assert.ok(await bench.sql((sql) => JobTable.renew(sql, again, lease)))
      const done = await bench.reaches(id, "done")
      // A worker that is cancelled right after the end gives nothing back.
      await bench.sql((sql) => JobTable.giveBack(sql, again))
      await bench.sql((sql) => JobTable.bury(sql, again, "too late"))
      assert.deepStrictEqual(await bench.reaches(id, "done"), done)
    })

    it("takes over the job of a worker that is not heard of, and gives up one that has outlived too many", async () => {
      const left = (attempts: number) =>
        bench.sql((sql) => sql<{ job_id: string }>`
          insert into job (kind, payload, max_attempts, state, attempts, lease, due_at)
          values ('left', '{"n":1}', 3, 'running', ${attempts}, gen_random_uuid(), now() - interval '1 second') returning job_id`)
      const [[once], [often]] = [await left(1), await left(3)]
      let runs = 0
      const workers = bench.workers([handler(kind("left"), () => Effect.sync(() => void runs++))])
      assert.strictEqual((await bench.reaches(once!.job_id, "done"))["attempts"], 2)
      assert.strictEqual((await bench.reaches(often!.job_id, "dead"))["error"], "the process that ran it has ended each time")
      assert.strictEqual(runs, 1)
      await workers.stop()
    })
  })
}

describe("a job and its lease, in virtual time", () => {
  const job = { job_id: "j", kind: "k", payload: { n: 1 }, attempts: 1, max_attempts: 3, lease: "l", until: 30_000 }

  /** A database of which the test says what each statement does. */
  const bench = (does: (statement: string) => Effect.Effect<ReadonlyArray<unknown>>) => {
    const statements: Array<string> = []
    const sql = (parts: TemplateStringsArray) => Effect.suspend(() => {
      const statement = /set state = .(\w+)|set due_at/.exec(parts.join("?"))!
      const what = statement[1] ?? "renew"
      statements.push(what)
      return does(what)
    })
    const query = ((run: (client: typeof sql) => Effect.Effect<unknown>) => run(sql)) as unknown as Database["Service"]["query"]
    return { statements, query }
  }
  const options = { lease: Duration.seconds(30), poll: Duration.seconds(1), retryDelay: Duration.seconds(1) }

  const timed = (run: Effect.Effect<void>) => VirtualClock.run(Effect.andThen(run, Timeout.now).pipe(Effect.provide(Logger.layer([]))))

  it("is cancelled when the lease ends and the database cannot be asked: before another worker begins", async () => {
    const { query, statements } = bench(() => Effect.die(new Error("unreachable")))
    let cancelledAt = -1
    const endless: Handler = { kind: "k", run: () => Effect.onInterrupt(Effect.never, () => Effect.map(Timeout.now, (now) => void (cancelledAt = now))) }
    assert.strictEqual(await timed(perform(job, { ...options, query, handler: endless })), 30_000)
    assert.strictEqual(cancelledAt, 30_000)
    assert.deepStrictEqual(statements, ["renew", "renew"])
  })

  it("goes on for as long as its heartbeats are heard", async () => {
    const { query, statements } = bench(() => Effect.succeed([{}]))
    assert.strictEqual(await timed(perform(job, { ...options, query, handler: { kind: "k", run: () => Effect.sleep("95 seconds") } })), 95_000)
    assert.deepStrictEqual(statements, [...Array.from({ length: 9 }, () => "renew"), "done"])
  })

  it("keeps its result for a database that is away for a moment", async () => {
    let away = 5
    const { query, statements } = bench((what) => what === "done" && away-- > 0 ? Effect.die(new Error("unreachable")) : Effect.succeed([{}]))
    assert.strictEqual(await timed(perform(job, { ...options, query, handler: { kind: "k", run: () => Effect.void } })), 5000)
    assert.strictEqual(statements.at(-1), "done")
  })
})

describe.skipIf(postgres === undefined)("jobs of processes that are killed", { timeout: 60_000 }, () => {
  it("survives the kill -9 of the process that runs it: another one does it when the lease has run out (HA22)", async () => {
    const bench = await openBench(postgres)
    try {
      const endless: Kind<unknown> = { name: "endless", payload: Schema.Unknown, maxAttempts: 5 }
      const id = await bench.sql((sql) => bench.jobs.add(sql, endless, {}))
      const program = start("test/examples/storefront/job-program.ts", [], { env: { DATABASE_URL: bench.database!, REDIS_URL: "", JOB_LEASE: "2 seconds" } })
      await program.prints("the job has begun")
      const workers = bench.workers([handler(endless, () => Effect.void)])
      program.kill("SIGKILL")
      assert.strictEqual((await program.ended).signal, "SIGKILL")
      assert.strictEqual((await bench.reaches(id, "done"))["attempts"], 2)
      await workers.stop()
    } finally {
      await bench.close()
    }
  })

  it("confirms an order whose process was killed right after the checkout, when the next one runs", async () => {
    const shop = await openShop(postgres, { env: { JOB_WORKERS: "0" } })
    try {
      // A second process on the same database, which has no workers and dies.
      const program = startProgram(["--port", "0"], { DATABASE_URL: shop.database!, JOB_WORKERS: "0" })
      const url = await addressOf(program)
      await eventually(async () => (await fetch(`${url}/brands?limit=1`)).status === 200 || undefined, "the program is ready")
      const { cart_id } = await (await fetch(`${url}/carts`, { method: "POST" })).json() as { cart_id: string }
      await fetch(`${url}/carts/${cart_id}/lines/1`, json({ quantity: 1 }, "PUT"))
      const order = await (await fetch(`${url}/carts/${cart_id}/checkout`, json({ email: "ada@shop.example" }))).json() as { confirmation_job: string }
      program.kill("SIGKILL")
      await program.ended
      const state = async () => (await (await shop.fetch(`/jobs/${order.confirmation_job}`)).json()) as { state: string }
      assert.strictEqual((await state()).state, "waiting")

      const next = startProgram(["--port", "0"], { DATABASE_URL: shop.database! })
      await eventually(async () => (await state()).state === "done" || undefined, "the order is confirmed")
      next.kill("SIGTERM")
      const ended = await next.ended
      assert.strictEqual(ended.code, 0)
      assert.include(ended.stderr, "Your order 1")
    } finally {
      await shop.stop()
    }
  })
})

/** Who comes to the gate waits until it is opened. */
const gateOf = () => {
  let open!: () => void
  let reach!: () => void
  const opened = new Promise<void>((resolve) => open = resolve)
  const reached = new Promise<void>((resolve) => reach = resolve)
  return {
    open,
    reached,
    pass: Effect.promise(() => {
      reach()
      return opened
    })
  }
}
