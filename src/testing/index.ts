export * as Explore from "./Explore.ts"
export * as Sequencer from "./Sequencer.ts"
export * as Suspends from "./Suspends.ts"
export * as VirtualClock from "./VirtualClock.ts"
