/** How a chat server behaves: the options, their defaults, and how they are read from the command line. */
import * as Duration from "effect/Duration"
import type { Bus } from "./Bus.ts"
import type { Rate } from "./FloodLimit.ts"
import { count, duration, inWords, oneOf, port, rate, size, sizeInWords } from "./Words.ts"

export interface ChatOptions {
  readonly host: string
  /** 0 is any free one. */
  readonly port: number
  /** How long a connection may take to say CONNECT. */
  readonly connectTimeout: Duration.Duration
  /** How long a user may say nothing. */
  readonly idleTimeout: Duration.Duration
  /** How many lines a user may say in a time. */
  readonly floodLimit: Rate | undefined
  /** How long a line may be, in bytes, without its end. */
  readonly maxLine: number
  /** How many bytes may wait for a client that is slow to read. */
  readonly outbox: number
  readonly maxUsers: number
  readonly maxConnections: number
  /** How many lines of a room newcomers can read. */
  readonly history: number
  /** How long a user who has lost the connection may take to come back. */
  readonly resumeFor: Duration.Duration
  /** How much of what happened is kept for those who come back, in bytes. */
  readonly resumeBuffer: number
  /** Whether users hear what they say themselves. */
  readonly echo: boolean
  /** The room in which everybody starts. */
  readonly room: string
  /** How long users have to read the rest when the server stops. */
  readonly grace: Duration.Duration
  /** Shared with other processes. Without it the server has one of its own, in memory. */
  readonly bus: Bus | undefined
}

export const defaults: ChatOptions = {
  host: "127.0.0.1",
  port: 8000,
  connectTimeout: Duration.seconds(15),
  idleTimeout: Duration.seconds(60),
  floodLimit: { count: 20, millis: 1000 },
  maxLine: 4096,
  outbox: 1_048_576,
  maxUsers: 10_000,
  maxConnections: 12_000,
  history: 50,
  resumeFor: Duration.seconds(30),
  resumeBuffer: 4_194_304,
  echo: true,
  room: "lobby",
  grace: Duration.seconds(4),
  bus: undefined
}

/** The rest is up to the client of Redis. */
const redisUrl = (text: string): string => {
  if (URL.canParse(text) && /^rediss?:$/u.test(new URL(text).protocol)) return text
  throw new Error(`expected an address such as redis://127.0.0.1:6379, got ${JSON.stringify(text)}`)
}

const busName = (text: string): string => {
  if (/^[\w.:-]+$/u.test(text)) return text
  throw new Error(`expected a name of letters, digits and the characters . : - _, got ${JSON.stringify(text)}`)
}

/** The same on the command line, each with the default from above. */
export const settings = {
  "connect-timeout": { argument: "TIME", does: "how long a connection may take to say CONNECT", default: inWords(defaults.connectTimeout), read: duration },
  "idle-timeout": { argument: "TIME", does: "how long a user may say nothing", default: inWords(defaults.idleTimeout), read: duration },
  "flood-limit": { argument: "N/TIME", does: "how many lines a user may say in a time, or off", default: "20/1s", read: rate },
  "max-line": { argument: "SIZE", does: "how long a line may be", default: sizeInWords(defaults.maxLine), read: size },
  outbox: { argument: "SIZE", does: "how much may wait for a client that reads slowly, before it is dropped", default: sizeInWords(defaults.outbox), read: size },
  "max-users": { argument: "N", does: "how many users there may be", default: String(defaults.maxUsers), read: count(1) },
  "max-connections": { argument: "N", does: "how many connections, with those that have no name yet", default: String(defaults.maxConnections), read: count(1) },
  history: { argument: "N", does: "how many lines of a room newcomers can read", default: String(defaults.history), read: count(0) },
  "resume-for": { argument: "TIME", does: "how long a user who has lost the connection may take to come back", default: inWords(defaults.resumeFor), read: duration },
  "resume-buffer": { argument: "SIZE", does: "how much of what happened is kept for those who come back", default: sizeInWords(defaults.resumeBuffer), read: size },
  "no-echo": { does: "users do not hear what they say themselves" },
  bus: { argument: "URL", does: "a Redis that the server shares with others, such as redis://127.0.0.1:6379; without it the server is alone", read: redisUrl },
  "bus-name": { argument: "NAME", does: "which chat it is, of those that share the Redis", default: "chat", read: busName },
  "bus-silence": { argument: "TIME", does: "how long a server may be silent there, before the others say goodbye for its users", default: "5s", read: duration },
  "bus-timeout": { argument: "TIME", does: "how long users wait for the Redis, before they are refused", default: "5s", read: duration },
  "metrics-port": { argument: "PORT", does: "where Prometheus can read /metrics; none unless given", read: port },
  log: { argument: "FORM", does: "the form of the log: pretty or json", default: "pretty", read: oneOf("pretty", "json") }
} as const
