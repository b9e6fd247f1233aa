/** The transport of Node. */
import type { Network } from "../Network.ts"

export declare const nodeNetwork: Network
