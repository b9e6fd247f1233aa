/** How tests ask the shop, and how they wait for what nobody announces. */

/** What a request of JSON is made of. */
export const json = (body: unknown, method = "POST", headers: Record<string, string> = {}): RequestInit =>
  ({ method, headers: { "content-type": "application/json", ...headers }, body: typeof body === "string" ? body : JSON.stringify(body) })

/** Looks until it is so: for facts that nobody announces. */
export const eventually = async <A>(look: () => Promise<A | undefined> | A | undefined, what: string, deadlineMillis = 20_000): Promise<A> => {
  const deadline = Date.now() + deadlineMillis
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (Date.now() > deadline) throw new Error(`it never came to this: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
