/** Whether a value can be sent to another thread. */
import { MessageChannel, type MessagePort } from "node:worker_threads"

let nowhere: MessagePort | undefined

/**
 * Why the structured clone algorithm refuses a value; `undefined` when it does not.
 *
 * A port serializes what it is given also when nobody is at its other end, and does
 * no more: a third of what `structuredClone` costs, and nothing is built.
 */
export const cloneProblem = (value: unknown): Error | undefined => {
  if (value === null || typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") return undefined
  // Copied as they are; a large one would be copied once more to no purpose.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return undefined
  if (nowhere === undefined) {
    nowhere = new MessageChannel().port1
    nowhere.close()
  }
  try {
    nowhere.postMessage(value)
    return undefined
  } catch (error) {
    // Not only the algorithm throws: a getter may have done so.
    return error instanceof Error ? error : new Error(String(error))
  }
}
