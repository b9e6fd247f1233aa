/** The chat in several processes, over a Redis of the test's own: what each user sees, and what is left when a part dies. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { start } from "../../node/main/start.ts"
import { hasRedisServer, OwnRedis } from "../../support/Redis.ts"
import { type Server, startServer, Talker } from "./redisSupport.ts"

describe.skipIf(!hasRedisServer())("chat servers on one Redis", { timeout: 60_000 }, () => {
  let redis: OwnRedis
  let left: Server
  let right: Server
  const talkers: Array<Talker> = []

  /** More servers, for one test. */
  const more: Array<Server> = []

  const begin = async (...args: Parameters<typeof startServer>): Promise<Server> => {
    const server = await startServer(...args)
    more.push(server)
    return server
  }

  const at = (server: Server): Talker => {
    const talker = new Talker(server.port)
    talkers.push(talker)
    return talker
  }

  beforeAll(async () => {
    redis = await OwnRedis.start({ durable: true })
    // Longer than Redis will be away.
    const both = ["--bus-timeout", "20s", "--idle-timeout", "5m"]
    ;[left, right] = await Promise.all([startServer(redis.url, "chat", ...both), startServer(redis.url, "chat", ...both)])
  })

  afterEach(async () => {
    // The next test begins alone, also when this one has failed.
    await Promise.all(talkers.map((talker) => talker.quit()))
    talkers.length = 0
    for (const server of more.splice(0)) server.program.kill("SIGKILL")
  })

  afterAll(async () => {
    for (const server of [left, right]) server?.program.kill("SIGKILL")
    await redis?.stop()
  })

  it("tells both users of the book the same transcript, byte for byte, at different processes (B25)", async () => {
    const miss = at(left).say("CONNECT MissIslington")
    await miss.hears("MissIslington connected!")
    const sir = at(right).say("CONNECT SirBedevere")
    await sir.hears("SirBedevere connected!")
    sir.say("Is that your nose?")
    await miss.hears("SirBedevere: Is that your nose?")
    miss.say("No, it's a false one!")
    const talk = "SirBedevere connected!\nSirBedevere: Is that your nose?\nMissIslington: No, it's a false one!\n"
    await Promise.all([miss, sir].map((talker) => talker.until(() => talker.received.endsWith("one!\n"))))
    assert.strictEqual(miss.received, `Welcome! 1 user(s) are online!\nMissIslington connected!\n${talk}`)
    assert.strictEqual(sir.received, `Welcome! 2 user(s) are online!\n${talk}`)
  })

  it("lets a name belong to one user in all processes, whatever its case, and frees it with the user (M02)", async () => {
    const ann = await at(left).connect("Ann")
    const other = at(right).say("CONNECT aNN")
    assert.strictEqual(await other.hears(/^ERR name-taken (.*)$/u), "somebody else is called aNN")
    await other.connect("Bob")
    other.say("/nick ANN")
    await other.until(() => other.count(/^ERR name-taken /u) === 2)
    ann.say("/nick Cleo")
    await other.hears("Ann is now known as Cleo")
    other.say("/nick ann")
    await ann.hears("Bob is now known as ann")
    ann.say("/quit")
    await other.hears("Cleo has left the chat")
    await at(left).connect("cleo")
  })

  it("gives one of many who want the same name in the same moment", async () => {
    const many = Array.from({ length: 20 }, (_, index) => at(index % 2 === 0 ? left : right).say("CONNECT same"))
    await Promise.all(many.map((talker) => talker.hears(/^(Welcome!|ERR name-taken) /u)))
    assert.deepStrictEqual(many.map(({ heard }) => heard[0]).filter((line) => line!.startsWith("Welcome")), ["Welcome! 1 user(s) are online!"])
  })

  it("shows who is in a room, tells private messages and moves users, across processes (B21)", async () => {
    const ann = await at(left).connect("ann")
    const bob = await at(right).connect("bob")
    const cleo = await at(right).connect("cleo")
    ann.say("/who")
    await ann.hears("-- ann, bob, cleo")
    ann.say("/msg BOB psst")
    await bob.hears("ann (private): psst")
    await ann.hears("-- to bob: psst")
    ann.say("/msg nobody psst")
    await ann.hears(/^ERR no-such-user /u)
    cleo.say("/join attic")
    await ann.hears("cleo has left for attic")
    bob.say("/join attic")
    await cleo.hears("bob joined attic")
    bob.say("up here")
    await cleo.hears("bob: up here")
    ann.say("/who", "/msg cleo done?")
    await ann.hears("-- 1 in lobby:")
    await cleo.hears("ann (private): done?")
    assert.deepStrictEqual([ann, cleo].map((talker) => talker.count(/psst|up here/u)), [1, 1])
  })

  it("shows a newcomer what was said last, at whichever process (B22)", async () => {
    const ann = await at(left).connect("ann")
    ann.say("/join history", ...Array.from({ length: 60 }, (_, index) => `line ${index}`))
    await ann.hears("ann: line 59")
    const bob = await at(right).connect("bob")
    bob.say("/join history", "/history", "/history 2")
    await bob.until(() => bob.count(/ ann: line 59$/u) === 2)
    const lines = bob.heard.flatMap((line) => /^-- \S+Z ann: line (\d+)$/u.exec(line)?.[1] ?? []).map(Number)
    assert.deepStrictEqual(lines, [...Array.from({ length: 50 }, (_, index) => index + 10), 58, 59])
  })

  it("puts what everybody says at once in one order for all, and keeps each sender's", async () => {
    const talkers = await Promise.all(Array.from({ length: 8 }, (_, index) => at(index % 2 === 0 ? left : right).connect(`user${index}`)))
    for (let line = 0; line < 50; line++) for (const talker of talkers) talker.say(`${line}`)
    await Promise.all(talkers.map((talker) => talker.until(() => talker.count(/^user\d: /u) === 400)))
    const said = talkers.map(({ heard }) => heard.filter((line) => /^user\d: /u.test(line)))
    for (const lines of said) assert.deepStrictEqual(lines, said[0])
    for (let user = 0; user < 8; user++) {
      const own = said[0]!.filter((line) => line.startsWith(`user${user}: `)).map((line) => Number(line.slice(7)))
      assert.deepStrictEqual(own, Array.from({ length: 50 }, (_, line) => line))
    }
  })

  it("lets a user come back at another process, with what was missed, and knows there what was said before (B18, B20)", async () => {
    const bob = await at(right).connect("bob")
    const ann = at(left)
    const token = await ann.connectCapable("ann")
    ann.say("MSG a1 before")
    await Promise.all([ann.hears("ACK a1"), ann.hears(/^SEQ \S+ ann: before$/u)])
    ann.leave()
    bob.say("are you there?", "/msg ann hello?")
    await bob.hears("-- to ann: hello?")
    const again = at(right).say("CAPS ack resume", `RESUME ${token} ${ann.lastSeq}`)
    await again.hears("RESUMED ann")
    again.say("MSG a1 before", "MSG a2 after")
    await Promise.all([again.hears("ACK a2"), again.hears(/^SEQ \S+ ann: after$/u), bob.hears("ann: after")])
    assert.deepStrictEqual(again.chat, ["bob: are you there?", "bob (private): hello?", "ann: after"])
    assert.strictEqual(again.count("ACK a1"), 1)
    assert.deepStrictEqual(bob.heard.filter((line) => line.startsWith("ann")), ["ann connected!", "ann: before", "ann: after"])
  })

  it("lets a user come back at another process while the old connection still stands, which is told so", async () => {
    const ann = at(left)
    const token = await ann.connectCapable("ann")
    const again = at(right).say("CAPS ack resume", `RESUME ${token} -`)
    await again.hears("RESUMED ann")
    await ann.hears(/^ERR resumed /u)
    again.say("MSG 1 here")
    await again.hears(/^SEQ \S+ ann: here$/u)
    assert.strictEqual(again.count(/left/u), 0)
  })

  it("says goodbye once for the users of a process that was killed, and those who can come back do so elsewhere", async () => {
    const third = await begin(redis.url, "chat", "--resume-for", "20s", "--bus-silence", "2s")
    const watchers = [await at(left).connect("ann"), await at(right).connect("bob")]
    const lost = await Promise.all(Array.from({ length: 5 }, (_, index) => at(third).connect(`lost${index}`)))
    const capable = at(third)
    const token = await capable.connectCapable("capable")
    await lost[0]!.hears("capable connected!")
    const since = Date.now()
    third.program.kill("SIGKILL")
    await Promise.all(watchers.map((talker) => talker.until(() => talker.count(/^lost\d has left the chat$/u) === 5)))
    assert.isBelow(Date.now() - since, 20_000)
    const again = at(right).say("CAPS ack resume", `RESUME ${token} -`)
    await again.hears("RESUMED capable")
    again.say("MSG 1 still here")
    await Promise.all(watchers.map((talker) => talker.hears("capable: still here")))
    for (const talker of watchers) {
      assert.deepStrictEqual(talker.heard.filter((line) => /left/u.test(line)).toSorted(), lost.map((_, index) => `lost${index} has left the chat`))
    }
    // Their names are free.
    await at(left).connect("lost0")
  })

  it("loses nothing that was acknowledged when Redis is killed and started again under load (B25)", async () => {
    const messages = 300
    const window = 8
    const listener = at(right)
    await listener.connectCapable("listener")
    const senders = await Promise.all(Array.from({ length: 6 }, async (_, index) => {
      const talker = at(index % 2 === 0 ? left : right)
      await talker.connectCapable(`sender${index}`)
      return talker
    }))
    const ackedBy = (talker: Talker) => talker.count(/^ACK /u)
    const work = senders.map(async (talker) => {
      for (let next = 0; next < messages; next++) {
        await talker.until(() => ackedBy(talker) > next - window)
        talker.say(`MSG m${next} ${next}`)
      }
      await talker.until(() => ackedBy(talker) === messages)
    })
    // In the middle of it, twice.
    for (const part of [0.2, 0.6]) {
      await Promise.all(senders.map((talker) => talker.until(() => ackedBy(talker) >= messages * part)))
      await redis.kill9()
      await redis.startAgain()
    }
    await Promise.all(work)
    await Promise.all([listener, ...senders].map((talker) => talker.until(() => talker.count(/^SEQ \S+ sender\d: /u) === senders.length * messages)))
    const order = Array.from({ length: messages }, (_, index) => index)
    for (const [index, talker] of senders.entries()) {
      const shown = listener.chat.filter((line) => line.startsWith(`sender${index}: `)).map((line) => Number(line.slice(9)))
      assert.deepStrictEqual(shown, order)
      assert.deepStrictEqual(talker.heard.filter((line) => /^(?:NAK|ERR)/u.test(line)), [])
    }
    // Nobody has left, and all were told the same.
    assert.deepStrictEqual(listener.chat.filter((line) => /left/u.test(line)), [])
    const [one, ...others] = [listener, ...senders].map(({ chat }) => chat.filter((line) => /^sender\d: /u.test(line)))
    for (const other of others) assert.deepStrictEqual(other, one)
    // Those who come back find everything in its place, too.
    const token = /^TOKEN (\S+)$/u.exec(senders[0]!.heard.find((line) => line.startsWith("TOKEN "))!)![1]!
    const again = at(right).say("CAPS ack resume", `RESUME ${token} -`)
    await again.hears("RESUMED sender0")
    again.say(`MSG m${messages - 1} again`, "MSG last one more")
    await again.hears(/^SEQ \S+ sender0: one more$/u)
    assert.deepStrictEqual(again.chat.filter((line) => /^sender\d: /u.test(line)), [...one!, "sender0: one more"])
  })

  it("refuses what cannot be stored in time, drops nobody for it, and takes it when Redis is back", async () => {
    const hasty = await begin(redis.url, "hasty", "--bus-timeout", "300ms", "--log", "json")
    const ann = at(hasty)
    await ann.connectCapable("ann")
    const bob = await at(hasty).connect("bob")
    await redis.kill9()
    ann.say("MSG 1 one")
    bob.say("two")
    assert.match(await ann.hears(/^NAK (.*)$/u), /^1 unavailable /u)
    await bob.hears(/^ERR unavailable /u)
    const cleo = at(hasty).say("CONNECT cleo")
    await cleo.hears(/^ERR unavailable /u)
    bob.leave()
    await hasty.program.prints("the bus cannot be reached: nothing")
    await redis.startAgain()
    await hasty.program.prints("the bus is back")
    for (let isIn = false; !isIn;) {
      const from = ann.heard.length
      ann.say("MSG 1 one")
      isIn = await ann.hears(/^((?:ACK|NAK) 1)/u, from) === "ACK 1"
    }
    await ann.hears(/^SEQ \S+ ann: one$/u)
    await ann.hears(/^SEQ \S+ bob has left the chat$/u)
    cleo.say("CONNECT cleo")
    await cleo.hears(/^Welcome! 2 /u)
    assert.deepStrictEqual(ann.chat.filter((line) => /^ann: |left/u.test(line)).toSorted(), ["ann: one", "bob has left the chat"])
    hasty.program.kill("SIGTERM")
    const { code, stdout } = await hasty.program.ended
    assert.strictEqual(code, 0)
    assert.strictEqual(stdout.match(/the bus cannot be reached: nothing/gu)?.length, 1)
    assert.strictEqual(stdout.match(/the bus is back/gu)?.length, 1)
  })

  it("keeps its users when Redis comes back without what it knew", async () => {
    const forgetful = await OwnRedis.start()
    const server = await begin(forgetful.url, "chat", "--bus-timeout", "20s")
    try {
      const ann = at(server)
      const token = await ann.connectCapable("ann")
      const bob = await at(server).connect("bob")
      await forgetful.kill9()
      await forgetful.startAgain()
      await server.program.prints("its users are registered again")
      for (let isIn = false; !isIn;) {
        const from = bob.heard.length
        bob.say("/who")
        isIn = await bob.hears(/^-- (\d) in lobby|^ERR /u, from) === "2"
      }
      ann.say("MSG 1 still here")
      await bob.hears("ann: still here")
      const again = at(server).say("CAPS ack resume", `RESUME ${token} ${ann.lastSeq}`)
      await again.hears("RESUMED ann")
      assert.strictEqual(bob.count(/left/u), 0)
    } finally {
      server.program.kill("SIGKILL")
      await server.program.ended
      await forgetful.stop()
    }
  })

  it("ends when it is asked to while Redis is away, and its users leave when the others find out", async () => {
    const bob = await at(right).connect("bob")
    const third = await begin(redis.url, "chat", "--bus-timeout", "500ms", "--bus-silence", "2s")
    const ann = await at(third).connect("ann")
    await bob.hears("ann connected!")
    await redis.kill9()
    third.program.kill("SIGTERM")
    await ann.hears(/^ERR shutdown /u)
    assert.strictEqual((await third.program.ended).code, 0)
    await redis.startAgain()
    await bob.hears("ann has left the chat")
    assert.strictEqual(bob.count(/left/u), 1)
  })
})

describe("examples/chat/server.ts --bus", { timeout: 60_000 }, () => {
  it("says in one line that there is no Redis, without its password, and ends with 1", async () => {
    const { code, stderr, stdout } = await start("examples/chat/server.ts", ["--port", "0", "--bus", "redis://user:secret@127.0.0.1:1", "--bus-timeout", "300ms"]).ended
    assert.deepStrictEqual({ code, stderr, stdout }, { code: 1, stderr: "cannot reach Redis at 127.0.0.1:1\n", stdout: "" })
  })

  it("refuses what is no address of a Redis, with 2", async () => {
    const { code, stderr } = await start("examples/chat/server.ts", ["--bus", "127.0.0.1:6379"]).ended
    assert.strictEqual(code, 2)
    assert.strictEqual(stderr, `--bus: expected an address such as redis://127.0.0.1:6379, got "127.0.0.1:6379" (see --help)\n`)
  })
})
