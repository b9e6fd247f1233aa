/** Figures of the process, under the names that dashboards expect. Looked at when somebody reads the metrics. */
import { type Context, Effect, Metric } from "effect"
import { hookOf } from "./HttpMetrics.ts"

const memory = Metric.gauge("process_resident_memory_bytes", { description: "Memory of the process" })
const cpu = Metric.counter("process_cpu_seconds_total", { description: "Seconds of computing, of the program and of the system for it", incremental: true })
const started = Metric.gauge("process_start_time_seconds", { description: "When the process began, in seconds since 1970" })
const busy = Metric.counter("nodejs_eventloop_active_seconds_total", { description: "Seconds in which the event loop did not wait", incremental: true })

export const register: Effect.Effect<void> = Effect.contextWith((context: Context.Context<never>) => {
  const startedAt = Date.now() / 1000 - process.uptime()
  const cpuSeconds = () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1e6
  }
  Metric.registerUnsafe(memory, context, hookOf(() => process.memoryUsage.rss()))
  Metric.registerUnsafe(cpu, context, counterOf(cpuSeconds))
  Metric.registerUnsafe(started, context, hookOf(() => startedAt))
  Metric.registerUnsafe(busy, context, counterOf(() => performance.eventLoopUtilization().active / 1000))
  return Effect.void
})

const counterOf = (read: () => number): Metric.Metric.Hooks<number, Metric.CounterState<number>> => ({
  get: () => ({ count: read(), incremental: true }),
  update: () => {},
  modify: () => {}
})
