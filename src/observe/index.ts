export * as TaskTree from "../core/TaskTree.ts"
