/** The tables of the shop. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const shop = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    create table brand (
      brand_id int generated always as identity primary key,
      brand_name text not null unique check (brand_name <> '')
    )`
  yield* sql`
    create table product (
      product_id int generated always as identity primary key,
      product_name text not null check (product_name <> ''),
      brand_id int not null references brand (brand_id),
      price_cents int not null default 1000 check (price_cents >= 0),
      -- Counts the changes: the ETag.
      version int not null default 1
    )`
  yield* sql`create index product_brand on product (brand_id)`
  // What can be bought now. The check is the last guard against selling what is not there.
  yield* sql`
    create table stock (
      product_id int primary key references product (product_id) on delete cascade,
      quantity int not null check (quantity >= 0)
    )`
  yield* sql`
    create table customer (
      customer_id int generated always as identity primary key,
      customer_name text not null check (customer_name <> ''),
      email text not null unique
    )`
  yield* sql`
    create table favorite (
      customer_id int not null references customer (customer_id) on delete cascade,
      product_id int not null references product (product_id) on delete cascade,
      primary key (customer_id, product_id)
    )`
  yield* sql`create index favorite_product on favorite (product_id)`
})
