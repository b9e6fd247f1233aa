export * as Framing from "./Framing.ts"
