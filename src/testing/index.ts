export * as VirtualClock from "./VirtualClock.ts"
