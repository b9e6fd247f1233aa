import type { Case } from "../harness/Case.ts"
import { cancel } from "./cancel.ts"
import { channel0, channel1024 } from "./channel.ts"
import { chat } from "./chat.ts"
import { echo } from "./echo.ts"
import { explore } from "./explore.ts"
import { gather, gatherBounded } from "./gather.ts"
import { http } from "./http.ts"
import { limiterCase } from "./limiter.ts"
import { liveTimeLimits } from "./live-time-limits.ts"
import { nested, nestedDeep } from "./nested.ts"
import { observe } from "./observe.ts"
import { recorder } from "./recorder.ts"
import { spawn, spawnYield } from "./spawn.ts"
import { thread } from "./thread.ts"
import { timeLimit } from "./time-limit.ts"
import { webSocket } from "./ws.ts"

/** In the order in which they run. */
export const cases: ReadonlyArray<Case> = [
  spawn,
  spawnYield,
  gather,
  gatherBounded,
  cancel,
  nested,
  nestedDeep,
  channel0,
  channel1024,
  timeLimit,
  liveTimeLimits,
  limiterCase,
  explore,
  ...observe,
  ...recorder,
  ...thread,
  ...echo,
  ...webSocket,
  ...chat,
  ...http
]
