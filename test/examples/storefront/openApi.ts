/** What tests do with an OpenAPI document: check its form, check values against it, and make requests of it. */

/** The document, as far as it is looked at. */
export interface Document {
  readonly openapi: string
  readonly info: Readonly<Record<string, unknown>>
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export interface Operation {
  readonly operationId: string
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: Schema }>
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>>
}

export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: ReadonlyArray<Schema>
  readonly allOf?: ReadonlyArray<Schema>
  readonly oneOf?: ReadonlyArray<Schema>
  readonly enum?: ReadonlyArray<unknown>
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly minItems?: number
  readonly maxItems?: number
}

export interface Found extends Operation {
  readonly method: string
  readonly path: string
}

export const operationsIn = (document: Document): ReadonlyArray<Found> =>
  Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })))

const types = ["string", "integer", "number", "boolean", "object", "array", "null"]

const isPattern = (text: string): boolean => {
  try {
    void new RegExp(text, "u")
    return true
  } catch {
    return false
  }
}

/** What breaks the rules of OpenAPI 3.1 and JSON Schema 2020-12, as far as such a document can break them. */
export const faultsIn = (document: Document): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const must = (fact: boolean, fault: string) => {
    if (!fact) faults.push(fault)
  }
  const schema = (value: Schema, at: string): void => {
    if (value.$ref !== undefined) return must(value.$ref.startsWith("#/components/schemas/") && value.$ref.slice(21) in document.components.schemas, `${at}: nothing at ${value.$ref}`)
    if (value.type !== undefined) must(types.includes(value.type), `${at}: no type ${value.type}`)
    if (value.pattern !== undefined) must(isPattern(value.pattern), `${at}: no pattern ${value.pattern}`)
    for (const name of value.required ?? []) must(name in (value.properties ?? {}), `${at}: ${name} is required, and not described`)
    for (const [name, property] of Object.entries(value.properties ?? {})) schema(property, `${at}.${name}`)
    if (value.items !== undefined) schema(value.items, `${at}[]`)
    for (const part of [...value.anyOf ?? [], ...value.allOf ?? [], ...value.oneOf ?? []]) schema(part, at)
    if (typeof value.additionalProperties === "object") schema(value.additionalProperties, `${at}.*`)
  }
  must(/^3\.1\.\d$/.test(document.openapi), "openapi is not 3.1")
  must(typeof document.info["title"] === "string" && typeof document.info["version"] === "string", "info has no title or version")
  const ids = new Set<string>()
  for (const operation of operationsIn(document)) {
    const at = `${operation.method} ${operation.path}`
    must(operation.path.startsWith("/"), `${at}: the path has no slash`)
    must(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"].includes(operation.method), `${at}: no method`)
    must(!ids.has(operation.operationId), `${at}: ${operation.operationId} is used twice`)
    ids.add(operation.operationId)
    const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
    const declared = operation.parameters.filter((parameter) => parameter.in === "path")
    must(inPath.toSorted().join() === declared.map((parameter) => parameter.name).toSorted().join(), `${at}: the parameters of the path are not those that are declared`)
    for (const parameter of operation.parameters) {
      must(["path", "query", "header", "cookie"].includes(parameter.in), `${at}: ${parameter.name} is in ${parameter.in}`)
      if (parameter.in === "path") must(parameter.required === true, `${at}: ${parameter.name} is in the path, and not required`)
      schema(parameter.schema, `${at} ${parameter.name}`)
    }
    must(Object.keys(operation.responses).length > 0, `${at}: no response`)
    for (const [status, response] of Object.entries(operation.responses)) {
      must(/^[1-5]\d\d$/.test(status), `${at}: no status ${status}`)
      must(typeof response.description === "string", `${at} ${status}: no description`)
      for (const [type, media] of Object.entries(response.content ?? {})) {
        must(/^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w-]+)*$/.test(type), `${at} ${status}: no media type ${type}`)
        schema(media.schema, `${at} ${status}`)
      }
    }
    for (const media of Object.values(operation.requestBody?.content ?? {})) schema(media.schema, `${at} body`)
  }
  for (const [name, value] of Object.entries(document.components.schemas)) schema(value, name)
  return faults
}

/** Says where a value is not what a schema says; nothing when it is. */
export const mismatch = (document: Document, schema: Schema, value: unknown, at = "$"): string | undefined => {
  if (schema.$ref !== undefined) return mismatch(document, document.components.schemas[schema.$ref.slice(21)]!, value, at)
  if (schema.anyOf !== undefined && schema.anyOf.every((one) => mismatch(document, one, value, at) !== undefined)) return `${at}: is none of those that it may be`
  for (const part of schema.allOf ?? []) {
    const fault = mismatch(document, part, value, at)
    if (fault !== undefined) return fault
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `${at}: is not one of ${schema.enum.join()}`
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") return `${at}: is no string`
      if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? Infinity)) return `${at}: has ${value.length} characters`
      return schema.pattern !== undefined && !new RegExp(schema.pattern, "u").test(value) ? `${at}: is not like ${schema.pattern}` : undefined
    case "integer":
    case "number":
      if (typeof value !== "number" || (schema.type === "integer" && !Number.isInteger(value))) return `${at}: is no ${schema.type}`
      return value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity) ? `${at}: is out of range` : undefined
    case "boolean":
      return typeof value === "boolean" ? undefined : `${at}: is no boolean`
    case "null":
      return value === null ? undefined : `${at}: is not null`
    case "array":
      if (!Array.isArray(value)) return `${at}: is no array`
      for (const [i, item] of value.entries()) {
        const fault = schema.items === undefined ? undefined : mismatch(document, schema.items, item, `${at}[${i}]`)
        if (fault !== undefined) return fault
      }
      return undefined
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return `${at}: is no object`
      for (const name of schema.required ?? []) if (!(name in value)) return `${at}.${name}: is missing`
      for (const [name, item] of Object.entries(value)) {
        const property = schema.properties?.[name] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined)
        if (property === undefined && schema.additionalProperties === false) return `${at}.${name}: is not described`
        const fault = property === undefined ? undefined : mismatch(document, property, item, `${at}.${name}`)
        if (fault !== undefined) return fault
      }
      return undefined
    }
    default:
      return undefined
  }
}

/** Numbers that are random, and the same for the same seed (mulberry32). */
export const randomOf = (seed: number) => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n: number) => Math.floor(next() * n)
  return { next, below, pick: <A>(items: ReadonlyArray<A>): A => items[below(items.length)]! }
}

type Random = ReturnType<typeof randomOf>

/** Values that have broken programs. */
const strange: ReadonlyArray<unknown> = [
  "", " ", "0", "-1", "1e309", "NaN", "null", "a\0b", "\ud800", "é灯🪔", "'; drop table brand; --", "\\", "%00", "../../etc/passwd", "<img src=x onerror=alert(1)>", "x".repeat(5000),
  0, -1, 1.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e308, null, true, [], {}, [[]], { __proto__: null, constructor: 1 }
]

/** A value as the schema says, most of the time. */
const valueOf = (document: Document, schema: Schema, random: Random, strangeness: number): unknown => {
  if (random.next() < strangeness) return random.pick(strange)
  if (schema.$ref !== undefined) return valueOf(document, document.components.schemas[schema.$ref.slice(21)]!, random, strangeness)
  if (schema.anyOf !== undefined) return valueOf(document, random.pick(schema.anyOf), random, strangeness)
  if (schema.enum !== undefined) return random.pick(schema.enum)
  const all = schema.allOf === undefined ? schema : Object.assign({}, schema, ...schema.allOf) as Schema
  switch (all.type) {
    case "string":
      return stringOf(all, random)
    case "integer":
      return Math.floor(numberIn(all, random))
    case "number":
      return numberIn(all, random)
    case "boolean":
      return random.next() < 0.5
    case "array":
      return Array.from({ length: random.below(4) }, () => valueOf(document, all.items ?? {}, random, strangeness))
    case "object":
      return Object.fromEntries(Object.entries(all.properties ?? {})
        .filter(([name]) => random.next() < (all.required?.includes(name) === true ? 1 - strangeness : 0.5))
        .map(([name, property]) => [name, valueOf(document, property, random, strangeness)]))
    default:
      return null
  }
}

/** Small numbers are the ones that exist; the ends of the range are the ones that break. */
const numberIn = ({ maximum = 1000, minimum = -1000 }: Schema, random: Random): number =>
  random.pick([minimum, maximum, minimum + random.below(100), minimum + random.next() * Math.min(maximum - minimum, 1e6)])

const stringOf = ({ maxLength = 30, minLength = 0, pattern }: Schema, random: Random): string => {
  if (pattern !== undefined) {
    const likely = [String(1 + random.below(1100)), "00000000-0000-4000-8000-000000000000", "ada@shop.example"].filter((text) => new RegExp(pattern, "u").test(text))
    if (likely.length > 0) return random.pick(likely)
  }
  const length = Math.max(minLength, Math.min(maxLength, random.below(40)))
  return Array.from({ length }, () => random.pick([..."abcXYZ 019-_.,:;!?äß灯"])).join("")
}

export interface MadeRequest {
  readonly operation: Found
  readonly path: string
  readonly init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string }
}

/** A request for one of the operations: right in most of what it says, strange in some of it. */
export const requestOf = (document: Document, random: Random): MadeRequest => {
  const operation = random.pick(operationsIn(document))
  const strangeness = random.pick([0, 0.1, 0.5])
  const text = (schema: Schema) => {
    const value = valueOf(document, schema, random, strangeness)
    return typeof value === "string" ? value : String(JSON.stringify(value))
  }
  let path = operation.path
  const query = new URLSearchParams()
  const headers: Record<string, string> = {}
  for (const parameter of operation.parameters) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(text(parameter.schema).replaceAll(/\p{Surrogate}/gu, "?")))
    else if (random.next() < 0.5) {
      if (parameter.in === "query") query.append(parameter.name, text(parameter.schema))
      else headers[parameter.name] = text(parameter.schema).replaceAll(/[^\x20-\x7e]/g, "?").trim()
    }
  }
  if (random.next() < strangeness) headers["accept"] = random.pick(["text/csv", "application/json", "image/*", "*/*;q=0", ";;;"])
  const content = operation.requestBody?.content["application/json"]
  const body = content === undefined ? undefined : random.next() < strangeness / 3 ? random.pick(["", "{", "nul", "[1,]", "\"x"]) : JSON.stringify(valueOf(document, content.schema, random, strangeness))
  if (body !== undefined) headers["content-type"] = random.next() < strangeness / 5 ? "text/plain" : "application/json"
  const search = query.toString()
  return { operation, path: search === "" ? path : `${path}?${search}`, init: { method: operation.method, headers, ...(body === undefined ? {} : { body }) } }
}
