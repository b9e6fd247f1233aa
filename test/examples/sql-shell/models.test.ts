import { assert, describe, it } from "vitest"
import { tagOf } from "../../../examples/sql-shell/CommandTag.ts"
import { help, parse } from "../../../examples/sql-shell/Options.ts"
import { isOpenAfter, statementsOf } from "../../../examples/sql-shell/Statements.ts"
import { tableLines } from "../../../examples/sql-shell/Table.ts"
import { columnsOf } from "../../../examples/terminal/Clusters.ts"
import { textOf } from "../../../examples/terminal/Line.ts"

describe("sql-shell/Statements", () => {
  it("cuts at semicolons, and nowhere else", () => {
    for (const [sql, statements] of [
      ["select 1", ["select 1"]],
      ["select 1; select 2;", ["select 1", "select 2"]],
      ["", []],
      [" ;; -- nothing\n ; /* at all */ ", []],
      ["select 'a;b', \"c;d\"; select 'it''s; fine'", ["select 'a;b', \"c;d\"", "select 'it''s; fine'"]],
      ["select E'a\\';b'; x", ["select E'a\\';b'", "x"]],
      ["select 'a\\'; x", ["select 'a\\'", "x"]],
      ["do $$ begin; end $$; x", ["do $$ begin; end $$", "x"]],
      ["do $a$ $b$ ; $a$; x", ["do $a$ $b$ ; $a$", "x"]],
      ["select $1; x", ["select $1", "x"]],
      ["select 1 -- a;b\n+ 1; x", ["select 1 -- a;b\n+ 1", "x"]],
      ["select /* a; /* b; */ c; */ 1; x", ["select /* a; /* b; */ c; */ 1", "x"]],
      ["select 'not closed; x", ["select 'not closed; x"]],
      ["/* not closed; x", []]
    ] as const) assert.deepStrictEqual(statementsOf(sql), statements, sql)
  })

  it("knows whether a transaction is open", () => {
    for (const [statement, after] of [
      ["begin", true],
      ["START TRANSACTION read only", true],
      ["commit", false],
      ["end", false],
      ["rollback", false],
      ["rollback to savepoint a", true],
      ["select 1", true],
      ["commit prepared 'x'", true]
    ] as const) assert.strictEqual(isOpenAfter(statement, true), after, statement)
    assert.isFalse(isOpenAfter("select 'begin'", false))
  })
})

describe("sql-shell/CommandTag", () => {
  // Each of them is what psql prints.
  it("is what PostgreSQL calls a statement", () => {
    for (const [statement, command, tag] of [
      ["create temp table t (a int)", "CREATE", "CREATE TABLE"],
      ["CREATE UNLOGGED TABLE t (a int)", "CREATE", "CREATE TABLE"],
      ["create/* a */ temporary -- b\ntable t (a int)", "CREATE", "CREATE TABLE"],
      ["create table\"order\" (a int)", "CREATE", "CREATE TABLE"],
      ["create unique index on t (a)", "CREATE", "CREATE INDEX"],
      ["create or replace temp view v as select 1", "CREATE", "CREATE VIEW"],
      ["drop materialized view if exists v", "DROP", "DROP MATERIALIZED VIEW"],
      ["create constraint trigger c after insert on t for each row execute function f()", "CREATE", "CREATE TRIGGER"],
      ["create or replace function f() returns int language sql as 'select 1'", "CREATE", "CREATE FUNCTION"],
      ["create foreign table t (a int) server s", "CREATE", "CREATE FOREIGN TABLE"],
      ["create text search configuration c (copy = simple)", "CREATE", "CREATE TEXT SEARCH CONFIGURATION"],
      ["alter user me nologin", "ALTER", "ALTER ROLE"],
      ["create user mapping for me server s", "CREATE", "CREATE USER MAPPING"],
      ["alter default privileges grant select on tables to me", "ALTER", "ALTER DEFAULT PRIVILEGES"],
      ["truncate t", "TRUNCATE", "TRUNCATE TABLE"],
      ["lock t", "LOCK", "LOCK TABLE"],
      ["declare c cursor for select 1", "DECLARE", "DECLARE CURSOR"],
      ["grant select on t to me", "GRANT", "GRANT"],
      ["set local work_mem = '4MB'", "SET", "SET"]
    ] as const) assert.strictEqual(tagOf(statement, command), tag, statement)
  })
})

describe("sql-shell/Table", () => {
  const text = (names: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<unknown>>, columns = Infinity) =>
    tableLines({ names, rows }, columns).map(textOf)

  it("aligns names, numbers and wide characters", () => {
    assert.deepStrictEqual(text(["id", "name"], [[1, "漢字"], [20, null], [300n, "é"]]), [
      " id │ name",
      "────┼─────",
      "  1 │ 漢字",
      " 20 │ NULL",
      "300 │ é"
    ])
  })

  it("shows dates, bytes, arrays, objects, booleans and line breaks in one row each", () => {
    const [, , row] = text(["a", "b", "c", "d", "e", "f"], [[new Date(0), Uint8Array.of(1, 255), [1, 2n], { a: null }, true, "x\ny"]])
    assert.strictEqual(row, "1970-01-01T00:00:00.000Z │ \\x01ff │ [1,\"2\"] │ {\"a\":null} │ true │ x↵y")
  })

  it("is no wider than the window, as long as the window is not too small for all columns", () => {
    for (const columns of [20, 40, 79]) {
      for (const row of text(["id", "long", "longer"], [[1, "x".repeat(100), "漢".repeat(100)]], columns)) assert.isAtMost(columnsOf(row), columns)
    }
    assert.lengthOf(text(Array.from({ length: 1_000 }, (_, i) => `column ${i}`), [], 80), 2)
  })

  it("obeys no escape sequence of the database", () => {
    assert.include(text(["\u001b[2J"], [["\u001b]0;x\u0007"]]).join(), "␛]0;x␇")
    assert.notInclude(text(["\u001b[2J"], [["\u001b]0;x\u0007"]]).join(), "\u001b")
  })
})

describe("sql-shell/Options", () => {
  it("takes --url, then DATABASE_URL, then this machine", () => {
    const urlOf = (args: ReadonlyArray<string>, env: Record<string, string>) => {
      const parsed = parse(args, env)
      return parsed._tag === "Run" ? parsed.options.url : parsed._tag
    }
    assert.strictEqual(urlOf(["--url", "postgres://a/b"], { DATABASE_URL: "postgres://c/d" }), "postgres://a/b")
    assert.strictEqual(urlOf([], { DATABASE_URL: "postgresql://c/d" }), "postgresql://c/d")
    assert.strictEqual(urlOf([], { DATABASE_URL: "" }), "postgres://postgres@127.0.0.1:5432/postgres")
    assert.strictEqual(urlOf(["--help"], {}), "Help")
    assert.include(help, "Exit codes")
  })

  it("refuses what is no address, without telling the password", () => {
    for (const [args, env] of [
      [["--url", "mysql://root:secret@x"], {}],
      [["--url", "secret"], {}],
      [[], { DATABASE_URL: "postgres://user:secret@:x:/" }],
      [["--ulr", "x"], {}],
      [["secret"], {}]
    ] as const) {
      const parsed = parse(args, env)
      assert.strictEqual(parsed._tag, "Mistake")
      if (args[0] !== "secret") assert.notInclude(parsed._tag === "Mistake" ? parsed.message : "", "secret")
    }
  })
})
