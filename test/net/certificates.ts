/** Certificates for tests, made when they are needed: no key lies in the repository, and none expires. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"

const encoded = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>) => encoded(0x30, ...parts)
const oid = (...bytes: ReadonlyArray<number>) => encoded(6, Buffer.from(bytes))
/** From 0 to 127. */
const integer = (value: number) => encoded(2, Buffer.from([value]))
const yes = encoded(1, Buffer.from([255]))
const bits = (bytes: Uint8Array) => encoded(3, Buffer.from([0]), bytes)

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))
const nameOf = (commonName: string) => sequence(encoded(0x31, sequence(oid(0x55, 4, 3), encoded(12, Buffer.from(commonName)))))
const time = (date: Date) => encoded(0x18, Buffer.from(`${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`))

const basicConstraints = (isAuthority: boolean) => sequence(oid(0x55, 0x1d, 0x13), yes, encoded(4, isAuthority ? sequence(yes) : sequence()))
const alternativeNames = (names: ReadonlyArray<string>) => {
  const all = names.map((name) =>
    /^[\d.]+$/.test(name) ? encoded(0x87, Buffer.from(name.split(".").map(Number))) : encoded(0x82, Buffer.from(name)))
  return sequence(oid(0x55, 0x1d, 0x11), encoded(4, sequence(...all)))
}

const pem = (label: string, der: Uint8Array) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64").match(/.{1,64}/g)!.join("\n")}\n-----END ${label}-----\n`

/** As `Tls.Identity` wants it. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const day = 24 * 3600 * 1000
let serial = 1

const make = (name: string, names: ReadonlyArray<string>, signer?: Authority): readonly [Certificate, KeyObject] => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const body = sequence(
    encoded(0xa0, integer(2)),
    integer(serial++),
    ecdsaWithSha256,
    nameOf(signer?.name ?? name),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    encoded(0xa3, sequence(basicConstraints(signer === undefined), ...(names.length === 0 ? [] : [alternativeNames(names)])))
  )
  const signature = sign("sha256", body, signer?.signingKey ?? privateKey)
  const certificate = sequence(body, ecdsaWithSha256, bits(signature))
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string
  return [{ cert: pem("CERTIFICATE", certificate), key }, privateKey]
}

export class Authority {
  readonly name: string
  readonly cert: string
  readonly signingKey: KeyObject

  constructor(name: string) {
    const [{ cert }, key] = make(name, [])
    this.name = name
    this.cert = cert
    this.signingKey = key
  }

  /** A certificate for hosts: names or IPv4 addresses. */
  certify(...names: ReadonlyArray<string>): Certificate {
    return make(names[0]!, names, this)[0]
  }
}

/** Vouches for itself. */
export const selfSigned = (...names: ReadonlyArray<string>): Certificate => make(names[0]!, names)[0]
