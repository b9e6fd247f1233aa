/** Reads the number of a port. */

/** The number itself, or a complaint that shows what was given. Port 0 is for listeners only. */
export const portOf = (port: number, least: 0 | 1): number => {
  if (Number.isInteger(port) && port >= least && port < 65_536) return port
  throw new RangeError(`Expected \`port\` to be an integer from ${least} to 65535, got \`${String(port)}\` (${typeof port})`)
}
