export * as Explore from "./Explore.ts"
export * as Sequencer from "./Sequencer.ts"
export * as VirtualClock from "./VirtualClock.ts"
