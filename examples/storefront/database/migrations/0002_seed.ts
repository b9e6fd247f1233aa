/** A small shop: 100 brands, 1,000 products and 20 customers. The same each time, so that examples can quote it. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const seed = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    insert into brand (brand_name)
    select first || ' ' || last
    from unnest(array['Amber','Birch','Cedar','Delta','Ember','Fjord','Grove','Harbor','Indigo','Juniper']) with ordinality as f (first, i),
         unnest(array['Works','Supply','Goods','Trading','Studio','Mills','Outfitters','House','Market','Brothers']) with ordinality as l (last, j)
    order by i, j`
  yield* sql`
    insert into product (product_name, brand_id, price_cents)
    select (array['Lamp','Chair','Teapot','Backpack','Notebook','Blanket','Clock','Mug','Scarf','Vase'])[1 + n % 10] || ' No. ' || n,
           1 + n % 100, 500 + 25 * (n % 80)
    from generate_series(1, 1000) as n
    order by n`
  yield* sql`insert into stock (product_id, quantity) select product_id, 10 + product_id % 90 from product`
  yield* sql`
    insert into customer (customer_name, email)
    select name, lower(name) || '@shop.example'
    from unnest(array['Ada','Barbara','Charles','Dorothy','Edsger','Frances','Grace','Hedy','Ivan','Joan',
                      'Kathleen','Leslie','Margaret','Niklaus','Olga','Peter','Radia','Sophie','Tony','Ursula']) with ordinality as c (name, n)
    order by n`
  yield* sql`
    insert into favorite (customer_id, product_id)
    select customer_id, customer_id * 10 + n from customer, generate_series(0, customer_id % 5) as n`
})
