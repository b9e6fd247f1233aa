/**
 * What the application is told from outside: options of the command line, then the environment, then a file `.env`.
 *
 * Secrets are `Redacted`: whoever prints the configuration prints `<redacted>`.
 */
import { Config, ConfigProvider, Duration, Effect, Option, Redacted, Schema, SchemaIssue } from "effect"
import * as fs from "node:fs"
import { parseArgs, parseEnv } from "node:util"

export interface StorefrontConfig {
  readonly host: string
  readonly port: number
  /** How many processes serve. More than one need a database that is not embedded in one of them. */
  readonly workers: number
  /** PostgreSQL. Without it, an embedded one. */
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  /** Where the embedded database keeps its files. Without it, in memory: gone at the end. */
  readonly dataDir: Option.Option<string>
  /** For the cache. Without it, in memory. */
  readonly redisUrl: Option.Option<Redacted.Redacted>
  /** Connections to the database, at most. */
  readonly poolSize: number
  /** A query that runs longer is ended by the database. */
  readonly statementTimeout: Duration.Duration
  /** Larger bodies of requests are refused. */
  readonly maxBodyBytes: number
  /** A line for each request. It costs as much as a small request itself. */
  readonly accessLog: boolean
  readonly logFormat: "json" | "pretty"
  /** How long requests have to end when the program is asked to stop. */
  readonly grace: Duration.Duration
  /** How long a client may take to send the head of a request, and how long for the whole of it. */
  readonly headersTimeout: Duration.Duration
  readonly requestTimeout: Duration.Duration
  /** Only each n-th request gets a line, and whatever was our fault. */
  readonly accessLogEvery: number
  /** How long it goes on when it is asked to stop, not ready any more, before it refuses connections. */
  readonly drainDelay: Duration.Duration
  /** Where traces go, by OTLP. Without it there are none. */
  readonly otlpEndpoint: Option.Option<string>
  readonly otlpHeaders: Option.Option<Redacted.Redacted>
  readonly serviceName: string
  /** Where reports of errors go. */
  readonly errorReportUrl: Option.Option<Redacted.Redacted>
  /** How many jobs are done at a time. None: other processes do them. */
  readonly jobWorkers: number
  /** So long after it was last heard of, a worker is taken for dead, and its job is begun again. */
  readonly jobLease: Duration.Duration
  /** What the names of keys in Redis begin with: applications may share one. */
  readonly redisPrefix: string
  /** Redis is asked for what can be had without it, so nobody waits longer for it than the other way takes. */
  readonly redisTimeout: Duration.Duration
  /** So long a value is kept in the cache. Nothing: as long as is right for where it is kept (cache/Cache.ts). */
  readonly cacheTimeToLive: Option.Option<Duration.Duration>
  /** So many requests a client may make in a minute. Nothing: as many as it likes. */
  readonly rateLimit: Option.Option<number>
  /** A proxy in front says in X-Forwarded-For who the client is. */
  readonly trustProxy: boolean
}

const postgresUrl = Config.Redacted("DATABASE_URL").pipe(
  Config.mapEffect((url) => isUrl(Redacted.value(url), ["postgres:", "postgresql:"]) ? Effect.succeed(url) : wrongUrl("DATABASE_URL", "postgres://user:password@host:5432/name"))
)

const redisUrl = Config.Redacted("REDIS_URL").pipe(
  Config.mapEffect((url) => isUrl(Redacted.value(url), ["redis:", "rediss:"]) ? Effect.succeed(url) : wrongUrl("REDIS_URL", "redis://host:6379"))
)

const otlpEndpoint = Config.String("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(
  Config.mapEffect((url) => isUrl(url, ["http:", "https:"]) && new URL(url).username === "" ? Effect.succeed(url) : wrongUrl("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4318, without a password"))
)

const errorReportUrl = Config.Redacted("ERROR_REPORT_URL").pipe(
  Config.mapEffect((url) => isUrl(Redacted.value(url), ["http:", "https:"]) ? Effect.succeed(url) : wrongUrl("ERROR_REPORT_URL", "https://host/path"))
)

/** One line per name: where it is read, and what it is without it. */
const config: Config.Config<StorefrontConfig> = Config.all({
  host: Config.NonEmptyString("HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.schema(portSchema(), "PORT").pipe(Config.withDefault(8080)),
  workers: Config.schema(intBetween(1, 64), "WORKERS").pipe(Config.withDefault(1)),
  databaseUrl: Config.option(postgresUrl),
  dataDir: Config.option(Config.NonEmptyString("DATA_DIR")),
  redisUrl: Config.option(redisUrl),
  poolSize: Config.schema(intBetween(1, 100), "POOL_SIZE").pipe(Config.withDefault(6)),
  statementTimeout: durationFrom("STATEMENT_TIMEOUT").pipe(Config.withDefault(Duration.seconds(10))),
  maxBodyBytes: Config.schema(intBetween(1024, 64 * 1024 * 1024), "MAX_BODY_BYTES").pipe(Config.withDefault(1024 * 1024)),
  accessLog: Config.Boolean("ACCESS_LOG").pipe(Config.withDefault(false)),
  logFormat: Config.Literals(["json", "pretty"], "LOG_FORMAT").pipe(Config.withDefault("json" as const)),
  grace: durationFrom("GRACE").pipe(Config.withDefault(Duration.seconds(5))),
  accessLogEvery: Config.schema(intBetween(1, 1_000_000), "ACCESS_LOG_EVERY").pipe(Config.withDefault(1)),
  drainDelay: durationFrom("DRAIN_DELAY").pipe(Config.withDefault(Duration.zero)),
  otlpEndpoint: Config.option(otlpEndpoint),
  otlpHeaders: Config.option(Config.Redacted("OTEL_EXPORTER_OTLP_HEADERS")),
  serviceName: Config.NonEmptyString("OTEL_SERVICE_NAME").pipe(Config.withDefault("storefront")),
  errorReportUrl: Config.option(errorReportUrl),
  headersTimeout: durationFrom("HEADERS_TIMEOUT").pipe(Config.withDefault(Duration.seconds(10))),
  requestTimeout: durationFrom("REQUEST_TIMEOUT").pipe(Config.withDefault(Duration.seconds(30))),
  jobWorkers: Config.schema(intBetween(0, 100), "JOB_WORKERS").pipe(Config.withDefault(4)),
  jobLease: durationFrom("JOB_LEASE", "1 second").pipe(Config.withDefault(Duration.seconds(30))),
  redisPrefix: Config.NonEmptyString("REDIS_PREFIX").pipe(Config.withDefault("storefront:")),
  redisTimeout: durationFrom("REDIS_TIMEOUT", "1 millis").pipe(Config.withDefault(Duration.millis(250))),
  cacheTimeToLive: Config.option(durationFrom("CACHE_TTL", "1 millis")),
  rateLimit: Config.option(Config.schema(intBetween(1, 1_000_000), "RATE_LIMIT")),
  trustProxy: Config.Boolean("TRUST_PROXY").pipe(Config.withDefault(false))
})

/** The names of the environment, and the options of the command line that stand for them. */
const options = { host: "HOST", port: "PORT", workers: "WORKERS", "data-dir": "DATA_DIR" } as const

/** How this is started: from its sources, or built (rolldown.config.ts). */
const command = import.meta.url.endsWith(".ts") ? "npm run example -- examples/storefront/main.ts" : "node main.mjs"

export const help = `Usage: ${command} [--host HOST] [--port PORT] [--workers N] [--data-dir FOLDER]

A small shop: an HTTP application on PostgreSQL.

  --host HOST        where to listen (127.0.0.1; 0.0.0.0 is every network of this machine)
  --port PORT        at which port (8080; 0 is any free one)
  --workers N        how many processes serve (1); more than one need DATABASE_URL
  --data-dir FOLDER  where the embedded database keeps its files (none: in memory, gone at the end)
  --help             print this

The environment, or a file .env, may say HOST, PORT, WORKERS and DATA_DIR instead, and more:

  DATABASE_URL       postgres://user:password@host:5432/name, in place of the embedded database
  REDIS_URL          redis://host:6379, for the cache; in memory without it
  POOL_SIZE          connections to the database, at most (6)
  STATEMENT_TIMEOUT  how long a query may run ("10 seconds")
  MAX_BODY_BYTES     how large the body of a request may be (1048576)
  ACCESS_LOG         a line for each request (false)
  ACCESS_LOG_EVERY   only for each n-th, and for what was our fault (1)
  LOG_FORMAT         json or pretty (json)
  GRACE              how long requests have to end when it stops ("5 seconds")
  DRAIN_DELAY        how long it goes on then, not ready, before it refuses connections ("0 seconds")
  HEADERS_TIMEOUT    how long a client may take to send the head of a request ("10 seconds")
  REQUEST_TIMEOUT    how long it may take for the whole of it ("30 seconds")
  ERROR_REPORT_URL   where a report of each fault is posted as JSON (none)
  OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME
                     where traces are sent, such as http://127.0.0.1:4318 (none)
  JOB_WORKERS        how many jobs are done at a time (4; 0: other processes do them)
  JOB_LEASE          when a worker that is not heard of is taken for dead ("30 seconds")
  REDIS_PREFIX       what names of keys in Redis begin with ("storefront:")
  REDIS_TIMEOUT      how long to wait for Redis before doing without ("250 millis")
  CACHE_TTL          how long values are kept in the cache ("1 hour"; with DATABASE_URL and without REDIS_URL "5 seconds":
                     a process does not hear then what others change)
  RATE_LIMIT         requests that a client may make in a minute (none: as many as it likes)
  TRUST_PROXY        whether a proxy in front says who the client is, by X-Forwarded-For (false)

Ctrl-C or SIGTERM stops it.`

/** What the program should do, after a look at its command line. */
export type Asked =
  | { readonly _tag: "Run"; readonly config: StorefrontConfig }
  | { readonly _tag: "Help" }
  /** One line that says what is wrong. */
  | { readonly _tag: "Mistake"; readonly why: string }

export const read = (
  args: ReadonlyArray<string> = process.argv.slice(2),
  env: Readonly<Record<string, string | undefined>> = { ...dotEnv(), ...process.env }
): Asked => {
  const record: Record<string, string> = {}
  /** The settings that an option has given, by the option. */
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(env)) if (value !== undefined && value !== "") record[name] = value
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { host: { type: "string" }, port: { type: "string" }, workers: { type: "string" }, "data-dir": { type: "string" }, help: { type: "boolean" } }
    })
    if (values.help === true) return { _tag: "Help" }
    for (const [option, name] of Object.entries(options)) {
      const value = values[option as keyof typeof options]
      if (value === undefined) continue
      record[name] = value
      given.set(name, `--${option}`)
    }
  } catch (error) {
    return { _tag: "Mistake", why: `${(error as Error).message} (see --help)` }
  }
  return Effect.runSync(Effect.match(config.parse(ConfigProvider.fromEnvRecord(record)), {
    onSuccess: (config): Asked =>
      config.workers > 1 && Option.isNone(config.databaseUrl)
        ? { _tag: "Mistake", why: "more than one worker need DATABASE_URL: the embedded database belongs to one process (see --help)" }
        : { _tag: "Run", config },
    onFailure: (error): Asked => ({ _tag: "Mistake", why: `${inOneLine(error, record, given)} (see --help)` })
  }))
}

/** The file is optional; what the environment says is stronger. */
function dotEnv(): Readonly<Record<string, string | undefined>> {
  try {
    return parseEnv(fs.readFileSync(".env", "utf8"))
  } catch {
    return {}
  }
}

const secrets = new Set(["DATABASE_URL", "REDIS_URL", "ERROR_REPORT_URL", "OTEL_EXPORTER_OTLP_HEADERS"])

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** `PORT: expected …, got "http"`, or `--port: …`. The value of a secret is not repeated. */
const inOneLine = (error: Config.ConfigError, record: Readonly<Record<string, string>>, given: ReadonlyMap<string, string>): string => {
  if (!Schema.isSchemaError(error.cause)) return error.message
  const [issue] = formatIssues(error.cause.issue).issues
  const name = String(issue?.path?.[0] ?? "")
  const message = (issue?.message ?? "is not valid").replace(/^Expected/, "expected").replace("a valid Duration string", "a time such as \"5 seconds\"").replaceAll(/\s+/g, " ")
  if (name === "") return message
  const asked = given.get(name) ?? name
  return secrets.has(name) || record[name] === undefined ? `${asked}: ${message}` : `${asked}: ${message}, got ${JSON.stringify(record[name])}`
}

const wrongUrl = (name: string, like: string): Effect.Effect<never, Config.ConfigError> =>
  Effect.fail(new Config.ConfigError(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: `${name}: expected an address like ${like}` }))))

const isUrl = (text: string, protocols: ReadonlyArray<string>): boolean =>
  URL.canParse(text) && protocols.includes(new URL(text).protocol)

/** Longer than a year is as good as for ever, which a database cannot add to a time. */
function durationFrom(name: string, least: Duration.Input = "0 seconds") {
  return Config.Duration(name).pipe(
    Config.mapEffect((duration) =>
      Duration.isGreaterThanOrEqualTo(duration, Duration.fromInputUnsafe(least)) && Duration.isLessThanOrEqualTo(duration, Duration.days(365))
        ? Effect.succeed(duration)
        : Effect.fail(new Config.ConfigError(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: `${name}: expected a time from ${String(least)} to a year` })))))
  )
}

function intBetween(minimum: number, maximum: number) {
  const expected = `a whole number from ${minimum} to ${maximum}`
  return Schema.NumberFromString.check(Schema.isInt({ expected }), Schema.isBetween({ minimum, maximum }, { expected }))
}

function portSchema() {
  return intBetween(0, 65535)
}
