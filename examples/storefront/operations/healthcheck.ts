/** A program for whoever watches over a container: ends with 0 when the storefront beside it lives, with 1 when it does not. */
const port = process.env["PORT"] ?? "8080"
const limitMillis = 2500

try {
  const { status } = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(limitMillis) })
  if (status !== 200) throw new Error(`/healthz is ${status}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
