/** A database for one measurement, on the PostgreSQL of this machine. */

const server = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres"

/** As the storefront's own first migrations make it (examples/storefront/database/migrations). */
const brand = `
  create table brand (
    brand_id int generated always as identity primary key,
    brand_name text not null unique check (brand_name <> '')
  );
  insert into brand (brand_name)
  select first || ' ' || last
  from unnest(array['Amber','Birch','Cedar','Delta','Ember','Fjord','Grove','Harbor','Indigo','Juniper']) with ordinality as f (first, i),
       unnest(array['Works','Supply','Goods','Trading','Studio','Mills','Outfitters','House','Market','Brothers']) with ordinality as l (last, j)
  order by i, j;
  analyze brand`

const execute = async (url: string, statements: string): Promise<void> => {
  // Not loaded by the workers of other cases, whose memory counts.
  const { default: pg } = await import("pg")
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statements)
  } finally {
    await client.end()
  }
}

export interface Database {
  readonly url: string
  readonly drop: () => Promise<void>
}

/** With a table of 100 brands, or empty: for who makes its own tables. */
export const make = async (empty: boolean): Promise<Database> => {
  const name = `effect_nursery_bench_${process.pid}`
  const url = new URL(server)
  url.pathname = `/${name}`
  await execute(server, `create database ${name}`)
  const drop = () => execute(server, `drop database ${name} with (force)`)
  try {
    if (!empty) await execute(url.href, brand)
  } catch (error) {
    await drop()
    throw error
  }
  return { url: url.href, drop }
}
