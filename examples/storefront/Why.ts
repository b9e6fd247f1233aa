/** Why something has failed, in a few words for the log: errors of drivers lie inside of others, and fill a page. */
export const whyOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(whyOf).join("; ")
  if (!(error instanceof Error)) return String(error)
  return (error.cause instanceof Error ? whyOf(error.cause) : "") || error.message || error.name
}
