export * as FromThread from "./FromThread.ts"
export * as LoopWatch from "./LoopWatch.ts"
export * as Main from "./Main.ts"
export * as Thread from "./Thread.ts"
