/** What the servers on pg have in common: the text, the query, and six connections. */
import pg from "pg"

export const hello = "Hello, World!"
export const brands = "select brand_id, brand_name from brand order by brand_id"
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 6 })

// What is left to do at the end, such as to write down a profile, is done by an end in good order only.
process.once("SIGTERM", () => process.exit())
