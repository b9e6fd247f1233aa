/** Before the docs tests: write each program of the documentation to a file of its own. */
import { allBlocks, blocksFolder, writeBlocks } from "./blocks.ts"

export const setup = (): void => writeBlocks(allBlocks().blocks, blocksFolder)
