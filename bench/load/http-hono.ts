/** The same with Hono on Node. Prints its port. */
import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { brands, hello, pool } from "./http-pg.ts"

const app = new Hono()
app.get("/hello", (c) => c.text(hello))
app.get("/brands", async (c) => c.json((await pool.query(brands)).rows))
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port))
