/**
 * What Autobahn's groups 1 to 7, 9 and 10 ask of an echo endpoint, as a table of our own (W01).
 *
 * A case sends frames and says what must come back. `closes` is the code of the close that the endpoint
 * must send; without it the connection must still work, and is closed with 1000 at the end. Messages
 * before an offence must come back, too: where Autobahn is content with "non-strict", this table is not.
 */
import { closeFrame, frame, opcodes } from "./rawWebSocket.ts"

export interface Echoed {
  readonly opcode: number
  readonly payload: string | Uint8Array
}

export interface FramingCase {
  readonly id: string
  readonly what: string
  readonly send: ReadonlyArray<Buffer>
  /** The bytes go out in pieces of this size. */
  readonly pieces?: number
  readonly back: ReadonlyArray<Echoed>
  readonly closes?: number
}

const { binary, continuation, ping, pong, text } = opcodes
const more = { fin: false }
const echo = (opcode: number, payload: string | Uint8Array): Echoed => ({ opcode, payload })
const hex = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(" ", ""), "hex")

const sized = (bytes: number): Buffer => Buffer.alloc(bytes, "*")

const messages: ReadonlyArray<FramingCase> = [
  ...[0, 125, 126, 127, 128, 65_535, 65_536].flatMap((bytes, i) => [
    { id: `1.1.${i + 1}`, what: `text of ${bytes} bytes`, send: [frame(text, sized(bytes))], back: [echo(text, sized(bytes))] },
    { id: `1.2.${i + 1}`, what: `${bytes} bytes`, send: [frame(binary, sized(bytes).fill(0xfe))], back: [echo(binary, sized(bytes).fill(0xfe))] }
  ]),
  { id: "1.1.8", what: "text of 65536 bytes in pieces of 997", send: [frame(text, sized(65_536))], pieces: 997, back: [echo(text, sized(65_536))] },
  { id: "1.2.8", what: "65536 bytes in pieces of 997", send: [frame(binary, sized(65_536))], pieces: 997, back: [echo(binary, sized(65_536))] },
  { id: "1.3", what: "a mask of zeros is a mask", send: [Buffer.concat([hex("81 82 00 00 00 00"), Buffer.from("hi")])], back: [echo(text, "hi")] },
  { id: "1.4", what: "a frame without a mask", send: [frame(text, "hi", { masked: false })], back: [], closes: 1002 },
  { id: "1.5", what: "a longer form of a length than is needed", send: [Buffer.concat([hex("81 fe 00 02 00 00 00 00"), Buffer.from("hi")])], back: [echo(text, "hi")] },
  { id: "1.6", what: "a length beyond 2^53", send: [hex("82 ff ff ff ff ff ff ff ff ff 00 00 00 00")], back: [], closes: 1009 }
]

const pings: ReadonlyArray<FramingCase> = [
  { id: "2.1", what: "a ping without payload", send: [frame(ping)], back: [echo(pong, "")] },
  { id: "2.2", what: "a ping with text", send: [frame(ping, "Hello, world!")], back: [echo(pong, "Hello, world!")] },
  { id: "2.3", what: "a ping with bytes", send: [frame(ping, hex("00 ff fe fd fc fb 00 ff"))], back: [echo(pong, hex("00 ff fe fd fc fb 00 ff"))] },
  { id: "2.4", what: "a ping of 125 bytes", send: [frame(ping, sized(125))], back: [echo(pong, sized(125))] },
  { id: "2.5", what: "a ping of 126 bytes", send: [frame(ping, sized(126))], back: [], closes: 1002 },
  { id: "2.6", what: "a ping of 125 bytes, byte by byte", send: [frame(ping, sized(125))], pieces: 1, back: [echo(pong, sized(125))] },
  { id: "2.7", what: "a pong that nobody asked for", send: [frame(pong)], back: [] },
  { id: "2.8", what: "such a pong with text", send: [frame(pong, "unsolicited pong payload")], back: [] },
  { id: "2.9", what: "such a pong, and a ping", send: [frame(pong, "nobody asked"), frame(ping, "ping payload")], back: [echo(pong, "ping payload")] },
  {
    id: "2.10",
    what: "ten pings",
    send: Array.from({ length: 10 }, (_, i) => frame(ping, `payload-${i}`)),
    back: Array.from({ length: 10 }, (_, i) => echo(pong, `payload-${i}`))
  },
  {
    id: "2.11",
    what: "ten pings, byte by byte",
    send: Array.from({ length: 10 }, (_, i) => frame(ping, `payload-${i}`)),
    pieces: 1,
    back: Array.from({ length: 10 }, (_, i) => echo(pong, `payload-${i}`))
  }
]

const reserved: ReadonlyArray<FramingCase> = [
  { id: "3.1", what: "reserved bits 1 in a text", send: [frame(text, "Hello", { rsv: 1 })], back: [], closes: 1002 },
  ...[2, 3, 4].map((rsv, i): FramingCase => ({
    id: `3.${i + 2}`,
    what: `reserved bits ${rsv} in the second of two texts`,
    send: [frame(text, "first"), frame(text, "second", { rsv }), frame(ping)],
    ...(rsv === 4 ? { pieces: 1 } : {}),
    back: [echo(text, "first")],
    closes: 1002
  })),
  { id: "3.5", what: "reserved bits 5 in bytes", send: [frame(binary, hex("00 ff"), { rsv: 5 })], back: [], closes: 1002 },
  { id: "3.6", what: "reserved bits 6 in a ping", send: [frame(ping, "Hello", { rsv: 6 })], back: [], closes: 1002 },
  { id: "3.6b", what: "reserved bits 4 in a pong", send: [frame(pong, "Hello", { rsv: 4 })], back: [], closes: 1002 },
  { id: "3.7", what: "reserved bits 7 in a close", send: [frame(opcodes.close, hex("03 e8"), { rsv: 7 })], back: [], closes: 1002 },
  { id: "3.8", what: "reserved bits 4 in a continuation", send: [frame(text, "a", more), frame(continuation, "b", { rsv: 4 })], back: [], closes: 1002 }
]

const unknown: ReadonlyArray<FramingCase> = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode, i) => {
  const group = opcode < 8 ? "4.1" : "4.2"
  const number = (i % 5) + 1
  return [
    { id: `${group}.${number}`, what: `opcode ${opcode}`, send: [frame(opcode, number === 1 ? "" : "payload")], back: [], closes: 1002 },
    {
      id: `${group}.${number} after a text`,
      what: `opcode ${opcode} after a text`,
      send: [frame(text, "Hello"), frame(opcode, "payload"), frame(ping)],
      back: [echo(text, "Hello")],
      closes: 1002
    }
  ]
})

const two = [frame(text, "fragment1", more), frame(continuation, "fragment2")]
const both = [echo(text, "fragment1fragment2")]
const withPing = [two[0]!, frame(ping, "ping"), two[1]!]
const five = (first: number) => [
  frame(first, "1", more),
  frame(continuation, "2", more),
  frame(ping, "ping 1"),
  frame(continuation, "3", more),
  frame(continuation, "4", more),
  frame(ping, "ping 2"),
  frame(continuation, "5")
]
const ofFive = [echo(pong, "ping 1"), echo(pong, "ping 2"), echo(text, "12345")]

const fragments: ReadonlyArray<FramingCase> = [
  { id: "5.1", what: "a ping in two fragments", send: [frame(ping, "fragment1", more), frame(continuation, "fragment2")], back: [], closes: 1002 },
  { id: "5.2", what: "a pong in two fragments", send: [frame(pong, "fragment1", more), frame(continuation, "fragment2")], back: [], closes: 1002 },
  { id: "5.2b", what: "a close in two fragments", send: [frame(opcodes.close, hex("03 e8"), more)], back: [], closes: 1002 },
  { id: "5.3", what: "a text in two fragments", send: two, back: both },
  { id: "5.4", what: "the same in one piece", send: [Buffer.concat(two)], back: both },
  { id: "5.5", what: "the same byte by byte", send: two, pieces: 1, back: both },
  { id: "5.6", what: "a ping between two fragments", send: withPing, back: [echo(pong, "ping"), ...both] },
  { id: "5.7", what: "the same in one piece", send: [Buffer.concat(withPing)], back: [echo(pong, "ping"), ...both] },
  { id: "5.8", what: "the same byte by byte", send: withPing, pieces: 1, back: [echo(pong, "ping"), ...both] },
  ...[undefined, 65_536, 1].map((pieces, i): FramingCase => ({
    id: `5.${9 + i}`,
    what: "a continuation of nothing",
    send: [frame(continuation, "nothing before"), frame(text, "Hello")],
    ...(pieces === undefined ? {} : { pieces }),
    back: [],
    closes: 1002
  })),
  ...[undefined, 65_536, 1].map((pieces, i): FramingCase => ({
    id: `5.${12 + i}`,
    what: "a continuation of nothing that goes on",
    send: [frame(continuation, "nothing before", more), frame(text, "Hello")],
    ...(pieces === undefined ? {} : { pieces }),
    back: [],
    closes: 1002
  })),
  {
    id: "5.15",
    what: "a text in two fragments, and then a continuation of nothing",
    send: [...two, frame(continuation, "fragment3", more), frame(text, "Hello")],
    back: both,
    closes: 1002
  },
  { id: "5.16", what: "continuations before the text that they continue", send: [frame(continuation, "1", more), frame(text, "2", more), frame(continuation, "3")], back: [], closes: 1002 },
  { id: "5.17", what: "a last continuation before the text", send: [frame(continuation, "1"), frame(text, "2", more), frame(continuation, "3")], back: [], closes: 1002 },
  { id: "5.18", what: "a new text within a text", send: [frame(text, "fragment1", more), frame(text, "fragment2")], back: [], closes: 1002 },
  { id: "5.18b", what: "bytes within a text", send: [frame(text, "fragment1", more), frame(binary, "fragment2")], back: [], closes: 1002 },
  { id: "5.19", what: "a text in five fragments, with pings between", send: five(text), back: ofFive },
  { id: "5.20", what: "the same byte by byte", send: five(text), pieces: 1, back: ofFive },
  { id: "5.21", what: "bytes in five fragments, with pings between", send: five(binary), back: [...ofFive.slice(0, 2), echo(binary, "12345")] },
  { id: "5.22", what: "fragments without a byte", send: [frame(text, "", more), frame(continuation, "", more), frame(continuation, "")], back: [echo(text, "")] }
]

/** Markus Kuhn's stress test of UTF-8, as Autobahn has it. */
const valid: Readonly<Record<string, string>> = {
  "6.2.1 several scripts": "48 65 6c 6c 6f 2d c2 b5 40 c3 9f c3 b6 c3 a4 c3 bc c3 a0 c3 a1 2d 55 54 46 2d 38 21 21",
  "6.5.1 κόσμε": "ce ba e1 bd b9 cf 83 ce bc ce b5",
  "6.6.2 the first letter of it": "ce ba",
  "6.7.1 the first of 1 byte": "00",
  "6.7.2 the first of 2": "c2 80",
  "6.7.3 the first of 3": "e0 a0 80",
  "6.7.4 the first of 4": "f0 90 80 80",
  "6.9.1 the last of 1 byte": "7f",
  "6.9.2 the last of 2": "df bf",
  "6.9.3 the last of 3": "ef bf bf",
  "6.9.4 the last of 4": "f4 8f bf bf",
  "6.11.1 before the surrogates": "ed 9f bf",
  "6.11.2 after them": "ee 80 80",
  "6.11.3 the replacement character": "ef bf bd",
  "6.11.4 the last of all": "f4 8f bf bf",
  "6.22.1 U+FFFE": "ef bf be",
  "6.22.2 U+FFFF": "ef bf bf",
  ...Object.fromEntries(["f0 9f bf be", "f0 9f bf bf", "f0 af bf be", "f1 8f bf bf", "f2 bf bf be", "f3 af bf bf", "f4 8f bf be"].map((bytes, i) => [`6.22.${i + 3} no character`, bytes])),
  "6.23.1 a byte order mark": "ef bb bf",
  "6.24.1 right to left": "d7 a9 d7 9c d7 95 d7 9d"
}

const invalid: Readonly<Record<string, string>> = {
  "6.3.1 a surrogate in the middle": "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64",
  "6.4.1 beyond the last": "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64",
  "6.6.1 half of the first letter of κόσμε": "ce",
  "6.6.3 a third of the second": "ce ba e1",
  "6.6.4 two thirds": "ce ba e1 bd",
  "6.6.6 half of the third": "ce ba e1 bd b9 cf",
  "6.6.8 half of the fourth": "ce ba e1 bd b9 cf 83 ce",
  "6.6.10 half of the fifth": "ce ba e1 bd b9 cf 83 ce bc ce",
  "6.8.1 5 bytes": "f8 88 80 80 80",
  "6.8.2 6 bytes": "fc 84 80 80 80 80",
  "6.10.1 the last of 4, by its form": "f7 bf bf bf",
  "6.10.2 the last of 5": "fb bf bf bf bf",
  "6.10.3 the last of 6": "fd bf bf bf bf bf",
  "6.11.5 the first after the last": "f4 90 80 80",
  ...Object.fromEntries(["80", "bf", "80 bf", "80 bf 80", "80 bf 80 bf", "80 bf 80 bf 80", "80 bf 80 bf 80 bf", "80 81 82 9f a0 be"].map((bytes, i) => [`6.12.${i + 1} continuations alone`, bytes])),
  ...Object.fromEntries(["c0 20 c1 20 de 20 df 20", "e0 20 ef 20", "f0 20 f7 20", "f8 20 fb 20", "fc 20 fd 20"].map((bytes, i) => [`6.13.${i + 1} beginnings alone`, bytes])),
  ...Object.fromEntries(
    ["c0", "e0 80", "f0 80 80", "f8 80 80 80", "fc 80 80 80 80", "df", "ef bf", "f7 bf bf", "fb bf bf bf", "fd bf bf bf bf"].map((bytes, i) => [`6.14.${i + 1} the last byte is missing`, bytes])
  ),
  "6.15.1 all of those one after the other": "c0 e0 80 f0 80 80 f8 80 80 80 fc 80 80 80 80 df ef bf f7 bf bf fb bf bf bf fd bf bf bf bf",
  "6.16.1 FE": "fe",
  "6.16.2 FF": "ff",
  "6.16.3 both": "fe fe ff ff",
  ...Object.fromEntries(["c0 af", "e0 80 af", "f0 80 80 af", "f8 80 80 80 af", "fc 80 80 80 80 af"].map((bytes, i) => [`6.17.${i + 1} / in too many bytes`, bytes])),
  ...Object.fromEntries(["c1 bf", "e0 9f bf", "f0 8f bf bf", "f8 87 bf bf bf", "fc 83 bf bf bf bf"].map((bytes, i) => [`6.18.${i + 1} the last in too many`, bytes])),
  ...Object.fromEntries(["c0 80", "e0 80 80", "f0 80 80 80", "f8 80 80 80 80", "fc 80 80 80 80 80"].map((bytes, i) => [`6.19.${i + 1} NUL in too many`, bytes])),
  ...Object.fromEntries(["ed a0 80", "ed ad bf", "ed ae 80", "ed af bf", "ed b0 80", "ed be 80", "ed bf bf"].map((bytes, i) => [`6.20.${i + 1} a surrogate`, bytes])),
  ...Object.fromEntries(
    ["ed a0 80 ed b0 80", "ed a0 80 ed bf bf", "ed ad bf ed b0 80", "ed ad bf ed bf bf", "ed ae 80 ed b0 80", "ed ae 80 ed bf bf", "ed af bf ed b0 80", "ed af bf ed bf bf"].map((bytes, i) => [
      `6.21.${i + 1} a pair of them`,
      bytes
    ])
  )
}

const split = (name: string): { readonly id: string; readonly what: string } => {
  const space = name.indexOf(" ")
  return { id: name.slice(0, space), what: name.slice(space + 1) }
}

/** Each byte in a fragment of its own, so that every character is torn apart. */
const byteByByte = (payload: Buffer): ReadonlyArray<Buffer> =>
  Array.from(payload, (_, i) => frame(i === 0 ? text : continuation, payload.subarray(i, i + 1), { fin: i === payload.length - 1 }))

const torn = (id: string, what: string, payload: Buffer, outcome: Pick<FramingCase, "back" | "closes">): ReadonlyArray<FramingCase> => [
  { id, what, send: [frame(text, payload)], ...outcome },
  { id: `${id} in fragments`, what, send: byteByByte(payload), ...outcome },
  { id: `${id} in pieces`, what, send: [frame(text, payload)], pieces: 1, ...outcome }
]

const utf8: ReadonlyArray<FramingCase> = [
  { id: "6.1.1", what: "no byte", send: [frame(text)], back: [echo(text, "")] },
  ...Object.entries(valid).flatMap(([name, bytes]) => torn(split(name).id, split(name).what, hex(bytes), { back: [echo(text, hex(bytes))] })),
  ...Object.entries(invalid).flatMap(([name, bytes]) => torn(split(name).id, split(name).what, hex(bytes), { back: [], closes: 1007 })),
  { id: "6.25", what: "bytes need not be text", send: [frame(binary, hex("ff fe ed a0 80"))], back: [echo(binary, hex("ff fe ed a0 80"))] }
]

const closing: ReadonlyArray<FramingCase> = [
  { id: "7.1.1", what: "a text, and a close", send: [frame(text, "Hello World!"), closeFrame(1000)], back: [echo(text, "Hello World!")], closes: 1000 },
  { id: "7.1.2", what: "two closes", send: [closeFrame(1000), closeFrame(1000)], back: [], closes: 1000 },
  { id: "7.1.3", what: "a ping after a close", send: [closeFrame(1000), frame(ping)], back: [], closes: 1000 },
  { id: "7.1.4", what: "a text after a close", send: [closeFrame(1000), frame(text, "Hello World!")], back: [], closes: 1000 },
  { id: "7.1.5", what: "a close between fragments", send: [frame(text, "fragment1", more), closeFrame(1000), frame(continuation, "fragment2")], back: [], closes: 1000 },
  { id: "7.1.6", what: "a long text, a close and a ping", send: [frame(text, sized(262_144)), closeFrame(1000), frame(ping)], back: [echo(text, sized(262_144))], closes: 1000 },
  { id: "7.3.1", what: "a close without a code", send: [closeFrame()], back: [], closes: 1005 },
  { id: "7.3.2", what: "a close of one byte", send: [frame(opcodes.close, "a")], back: [], closes: 1002 },
  { id: "7.3.3", what: "a close with a code", send: [closeFrame(1000)], back: [], closes: 1000 },
  { id: "7.3.4", what: "a close with a reason", send: [closeFrame(1000, "Hello World!")], back: [], closes: 1000 },
  { id: "7.3.5", what: "a reason of 123 bytes", send: [closeFrame(1000, sized(123))], back: [], closes: 1000 },
  { id: "7.3.6", what: "a reason of 124 bytes", send: [closeFrame(1000, sized(124))], back: [], closes: 1002 },
  { id: "7.5.1", what: "a reason that is no text", send: [closeFrame(1000, hex("ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80"))], back: [], closes: 1007 },
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map((code, i): FramingCase => ({
    id: `7.7.${i + 1}`,
    what: `a close with ${code}`,
    send: [closeFrame(code)],
    back: [],
    closes: code
  })),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code, i): FramingCase => ({
    id: `7.9.${i + 1}`,
    what: `a close with ${code}`,
    send: [closeFrame(code)],
    back: [],
    closes: 1002
  }))
]

const KiB = 1024
const MiB = 1024 * KiB

const inFragments = (opcode: number, payload: Buffer, size: number): ReadonlyArray<Buffer> =>
  Array.from({ length: Math.ceil(payload.length / size) }, (_, i) =>
    frame(i === 0 ? opcode : continuation, payload.subarray(i * size, (i + 1) * size), { fin: (i + 1) * size >= payload.length }))

/** An endpoint with the default limit of 1 MiB. */
const large: ReadonlyArray<FramingCase> = [
  ...[64 * KiB, 256 * KiB, MiB].flatMap((bytes, i) => [
    { id: `9.1.${i + 1}`, what: `text of ${bytes} bytes`, send: [frame(text, sized(bytes))], back: [echo(text, sized(bytes))] },
    { id: `9.2.${i + 1}`, what: `${bytes} bytes`, send: [frame(binary, sized(bytes))], back: [echo(binary, sized(bytes))] }
  ]),
  ...[64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB].flatMap((size, i) => [
    { id: `9.3.${i + 1}`, what: `text of 1 MiB in fragments of ${size}`, send: inFragments(text, sized(MiB), size), back: [echo(text, sized(MiB))] },
    { id: `9.4.${i + 1}`, what: `1 MiB in fragments of ${size}`, send: inFragments(binary, sized(MiB), size), back: [echo(binary, sized(MiB))] }
  ]),
  ...[256, 512, KiB, 2 * KiB].flatMap((pieces, i) => [
    { id: `9.5.${i + 3}`, what: `text of 1 MiB in pieces of ${pieces}`, send: [frame(text, sized(MiB))], pieces, back: [echo(text, sized(MiB))] },
    { id: `9.6.${i + 3}`, what: `1 MiB in pieces of ${pieces}`, send: [frame(binary, sized(MiB))], pieces, back: [echo(binary, sized(MiB))] }
  ]),
  { id: "9.9.1", what: "1 MiB and a byte", send: [frame(binary, sized(MiB + 1))], back: [], closes: 1009 },
  { id: "9.9.2", what: "1 MiB and a byte in fragments", send: inFragments(binary, sized(MiB + 1), 64 * KiB), back: [], closes: 1009 },
  { id: "9.9.3", what: "a frame that only says that it is long", send: [hex("82 ff 00 00 00 00 00 10 00 01 00 00 00 00")], back: [], closes: 1009 },
  { id: "9.9.4", what: "more fragments without a byte than anybody needs", send: [frame(text, "", more), ...Array.from({ length: 33_000 }, () => frame(continuation, "", more))], back: [], closes: 1008 }
]

const rest: ReadonlyArray<FramingCase> = [
  { id: "10.1.1", what: "a text of 65536 bytes in fragments of 1300", send: inFragments(text, sized(65_536), 1300), back: [echo(text, sized(65_536))] }
]

export const groups: Readonly<Record<string, ReadonlyArray<FramingCase>>> = {
  "1 messages": messages,
  "2 pings and pongs": pings,
  "3 reserved bits": reserved,
  "4 unknown opcodes": unknown,
  "5 fragments": fragments,
  "6 UTF-8": utf8,
  "7 closes": closing,
  "9 limits": large,
  "10 the rest": rest
}
