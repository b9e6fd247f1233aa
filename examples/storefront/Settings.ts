/** The configuration (Config.ts), for layers that need some of it. */
import { Context } from "effect"
import type { StorefrontConfig } from "./Config.ts"

export class Settings extends Context.Service<Settings, StorefrontConfig>()("storefront/Settings") {}
