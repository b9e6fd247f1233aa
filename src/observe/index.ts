export * as CancelReport from "./CancelReport.ts"
export * as Instrument from "./Instrument.ts"
export * as TaskTree from "../core/TaskTree.ts"
