export * as Framing from "./Framing.ts"
export * as Network from "./Network.ts"
export * as Tcp from "./Tcp.ts"
export * as Tls from "./Tls.ts"
