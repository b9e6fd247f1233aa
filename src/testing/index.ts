export * as Explore from "./Explore.ts"
export * as VirtualClock from "./VirtualClock.ts"
