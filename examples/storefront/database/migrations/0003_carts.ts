/** Carts, and the orders that they become. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const carts = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    create table cart (
      -- 122 random bits: who knows it owns the cart.
      cart_id uuid primary key default gen_random_uuid(),
      state text not null default 'open' check (state in ('open', 'ordered')),
      created_at timestamptz not null default now()
    )`
  yield* sql`
    create table cart_line (
      cart_id uuid not null references cart (cart_id) on delete cascade,
      product_id int not null references product (product_id) on delete cascade,
      quantity int not null check (quantity between 1 and 1000),
      primary key (cart_id, product_id)
    )`
  yield* sql`create index cart_line_product on cart_line (product_id)`
  // "order" is a word of SQL. A cart is sold once: the constraint is the last guard.
  yield* sql`
    create table purchase (
      order_id int generated always as identity primary key,
      cart_id uuid not null unique references cart (cart_id),
      email text not null,
      note text not null default '',
      ordered_at timestamptz not null default now(),
      confirmation_job uuid,
      confirmed_at timestamptz
    )`
  // Names and prices as they were when they were sold. The product may be gone since, so nothing refers to it.
  yield* sql`
    create table purchase_line (
      order_id int not null references purchase (order_id) on delete cascade,
      product_id int not null,
      product_name text not null,
      quantity int not null check (quantity > 0),
      price_cents int not null check (price_cents >= 0),
      primary key (order_id, product_id)
    )`
})
