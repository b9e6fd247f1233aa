/** What the chat's users see when a server is cut off from Redis: answers that are lost, and being taken for dead. */
import { afterEach, assert, beforeAll, describe, it } from "vitest"
import type { RedisOptions } from "../../../examples/chat/RedisBus.ts"
import { findRedis, makePrefix, removeKeys, withRedis } from "../../support/Redis.ts"
import { Cable, serveHere, Talker } from "./redisSupport.ts"

const url = await findRedis()

describe.skipIf(url === undefined)("a chat server whose way to Redis fails", { timeout: 60_000 }, () => {
  const ends: Array<() => Promise<unknown>> = []
  let name: string
  let place: { readonly host: string; readonly port: number }

  beforeAll(() => {
    const { hostname, port } = new URL(url!)
    place = { host: hostname, port: Number(port === "" ? 6379 : port) }
  })

  /** Two servers: one on a cable, and one that is not, or is as well. */
  const begin = async (options?: Partial<RedisOptions>, isFarOnCable = false) => {
    name = makePrefix()
    ends.push(() => removeKeys(url!, `{${name}}`))
    const cable = await Cable.lay(place)
    ends.push(() => cable.remove())
    const near = await serveHere({ ...options, url: cable.url, name })
    ends.push(() => near.stop())
    const far = await serveHere({ ...options, url: isFarOnCable ? cable.url : url!, name })
    ends.push(() => far.stop())
    return { cable, near, far }
  }

  const at = ({ port }: { readonly port: number }): Talker => {
    const talker = new Talker(port)
    ends.push(() => talker.quit())
    return talker
  }

  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end()
  })

  it("says a line once whose answer was lost on the way, although it has no id", async () => {
    const { cable, far, near } = await begin()
    const ann = await at(near).connect("ann")
    const bob = await at(far).connect("bob")
    // The script of each thing that is asked for is loaded with the first one.
    ann.say("first", "/msg bob first")
    await ann.hears("-- to bob: first")
    for (let round = 0; round < 3; round++) {
      cable.deafen()
      ann.say(`line ${round}`, `/msg bob secret ${round}`)
      await cable.asked(`line ${round}`)
      await bob.hears(`ann: line ${round}`)
      cable.mend()
      // It comes behind the line, and was never asked for while answers were lost.
      await bob.hears(`ann (private): secret ${round}`)
      await ann.hears(`-- to bob: secret ${round}`)
    }
    ann.say("the end")
    for (const talker of [ann, bob]) await talker.hears("ann: the end")
    assert.deepStrictEqual(ann.heard.filter((line) => line.startsWith("ann: ")), ["ann: first", "ann: line 0", "ann: line 1", "ann: line 2", "ann: the end"])
    assert.deepStrictEqual(
      bob.heard.filter((line) => line.startsWith("ann")),
      ["ann: first", "ann (private): first", ...[0, 1, 2].flatMap((round) => [`ann: line ${round}`, `ann (private): secret ${round}`]), "ann: the end"]
    )
  })

  it("lets a user in once whose answer was lost on the way, and back in", async () => {
    const { cable, far, near } = await begin()
    const bob = await at(far).connect("bob")
    const earlier = at(near)
    const earlierToken = await earlier.connectCapable("cleo")
    await at(near).say("CAPS resume", `RESUME ${earlierToken} -`).hears("RESUMED cleo")
    const first = at(near).say("CAPS ack resume")
    await first.hears("CAPS ack resume")
    cable.deafen()
    first.say("CONNECT ann")
    await bob.hears("ann connected!")
    cable.mend()
    const token = await first.hears(/^TOKEN (\S+)$/u)
    await first.hears(/^Welcome! 3 /u)
    first.say("MSG 1 one")
    await first.hears(/^SEQ \S+ ann: one$/u)
    const second = at(near).say("CAPS ack resume")
    await second.hears("CAPS ack resume")
    cable.deafen()
    second.say(`RESUME ${token} ${first.lastSeq}`)
    await cable.asked(token)
    cable.mend()
    await second.hears("RESUMED ann")
    second.say("MSG 2 two")
    await second.hears(/^SEQ \S+ ann: two$/u)
    await first.hears(/^ERR resumed /u)
    assert.deepStrictEqual(first.chat, ["ann connected!", "ann: one"])
    assert.deepStrictEqual(second.chat, ["ann: two"])
    assert.deepStrictEqual(bob.heard.filter((line) => line.startsWith("ann")), ["ann connected!", "ann: one", "ann: two"])
  })

  it("keeps those who can come back when it is taken for dead, and parts from the others, of whom everybody has been told", async () => {
    const { cable, far, near } = await begin({ resumeFor: 30_000, deadAfter: 1500 })
    const third = await serveHere({ url: url!, name, deadAfter: 1500 })
    ends.push(() => third.stop())
    const watchers = [await at(far).connect("bob"), await at(third).connect("cleo")]
    const ann = await at(near).connect("ann")
    const capable = at(near)
    await capable.connectCapable("capable")
    for (const watcher of watchers) await watcher.hears("capable connected!")
    cable.cut()
    for (const watcher of watchers) await watcher.hears("ann has left the chat")
    capable.say("MSG 1 while it was cut off")
    cable.mend()
    assert.match(await ann.hears(/^ERR (.*)$/u), /^unavailable this server was cut off/u)
    await ann.until(() => ann.isClosed)
    await capable.hears("ACK 1")
    // Is here again, and not somebody who may still come back.
    await withRedis(url!, async (redis) => {
      while (await redis.zCard(`{${name}}:away`) > 0);
    })
    for (const watcher of watchers) {
      await watcher.hears("capable: while it was cut off")
      assert.deepStrictEqual(watcher.heard.filter((line) => /left/u.test(line)), ["ann has left the chat"])
    }
    assert.deepStrictEqual(capable.chat.filter((line) => /left|while/u.test(line)), ["ann has left the chat", "capable: while it was cut off"])
    // The name is free, also at the server that was cut off.
    await at(near).connect("ann")
  })

  it("takes another connection when the old one is dead and nobody says so, also while it is written to", async () => {
    const { cable, far, near } = await begin({ deadAfter: 3000, resumeFor: 30_000 })
    const bob = await at(far).connect("bob")
    const ann = at(near)
    await ann.connectCapable("ann")
    await bob.hears("ann connected!")
    cable.cut()
    cable.bypass()
    ann.say("MSG 1 hello")
    // One after the other: for each of them something is written to the dead connection.
    let newcomers = 0
    const coming = setInterval(() => at(near).say(`CONNECT user${++newcomers}`), 200)
    ends.push(async () => clearInterval(coming))
    await bob.hears("ann: hello")
    await ann.hears("ACK 1")
    await ann.hears(/^SEQ \S+ ann: hello$/u)
    assert.deepStrictEqual(ann.chat.filter((line) => line.startsWith("ann: ")), ["ann: hello"])
  })

  it("says goodbye to nobody when Redis was away for longer than a server may be", async () => {
    const { cable, far, near } = await begin({ deadAfter: 1000, giveUpAfter: 2000 }, true)
    const ann = await at(near).connect("ann")
    const bob = await at(far).connect("bob")
    cable.cut()
    // Each of them is refused after two seconds.
    for (const talker of [ann, bob]) talker.say("one")
    for (const talker of [ann, bob]) await talker.hears(/^ERR unavailable not done/u)
    cable.mend()
    // Both beat again. The first one that does finds the other one overdue.
    await withRedis(url!, async (redis) => {
      for (let alive = 0; alive < 2;) alive = await redis.zCount(`{${name}}:processes`, Date.now(), "+inf")
    })
    for (const talker of [ann, bob]) talker.say("two")
    for (const talker of [ann, bob]) {
      for (const other of ["ann", "bob"]) await talker.hears(`${other}: two`)
      assert.strictEqual(talker.count(/left|^ERR/u), 1)
    }
  })

  it("says goodbye for a user who was away when the server died, once the time to come back is over", async () => {
    const { cable, far, near } = await begin({ deadAfter: 1000, resumeFor: 2500 })
    const bob = await at(far).connect("bob")
    const ann = at(near)
    const token = await ann.connectCapable("ann")
    await bob.hears("ann connected!")
    ann.leave()
    await withRedis(url!, async (redis) => {
      while (await redis.zCard(`{${name}}:away`) === 0);
    })
    cable.cut()
    await bob.hears("ann has left the chat")
    const again = at(far).say("CAPS resume", `RESUME ${token} -`)
    await again.hears(/^ERR resume-unknown /u)
    cable.mend()
    // The server was not dead after all, and says goodbye itself: that does nothing.
    const last = await at(near).connect("last")
    last.say("hello")
    await bob.hears("last: hello")
    assert.strictEqual(bob.count(/left/u), 1)
  })
})
