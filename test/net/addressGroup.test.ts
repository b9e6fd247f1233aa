import { groupOf } from "../../src/net/internal/AddressGroup.ts"
import { nameOf } from "../../src/net/internal/AddressText.ts"
import { assert, describe, it } from "vitest"

const group = (host: string) => groupOf({ _tag: "Tcp", host, port: 1 })

describe("groupOf", () => {
  it("is the address of IPv4, however it is written", () => {
    assert.strictEqual(group("192.0.2.1"), "192.0.2.1")
    assert.strictEqual(group("::ffff:192.0.2.1"), "192.0.2.1")
  })

  it("is the network of 64 bits of IPv6", () => {
    for (const host of ["2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::", "2001:db8:1:2::"]) {
      assert.strictEqual(group(host), "2001:db8:1:2::/64", host)
    }
    assert.notStrictEqual(group("2001:db8:1:3::1"), group("2001:db8:1:2::1"))
    assert.strictEqual(group("::1"), "0:0:0:0::/64")
    assert.strictEqual(group("fe80::1%eth0"), "fe80:0:0:0::/64")
    assert.strictEqual(group("2001:db8::1"), "2001:db8:0:0::/64")
  })

  it("is one for all peers of Unix sockets", () => {
    assert.strictEqual(groupOf({ _tag: "Unix", path: "" }), groupOf({ _tag: "Unix", path: "/a" }))
  })
})

describe("nameOf", () => {
  it("writes addresses as people do", () => {
    assert.strictEqual(nameOf({ _tag: "Tcp", host: "127.0.0.1", port: 80 }), "127.0.0.1:80")
    assert.strictEqual(nameOf({ _tag: "Tcp", host: "::1", port: 80 }), "[::1]:80")
    assert.strictEqual(nameOf({ _tag: "Unix", path: "/run/a.sock" }), "/run/a.sock")
    assert.isUndefined(nameOf({ _tag: "Unix", path: "" }))
  })
})
