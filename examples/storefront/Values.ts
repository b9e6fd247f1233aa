/** The values that requests and answers are made of, each with what it may be. */
import { Schema, SchemaTransformation } from "effect"

/** The number of a row: PostgreSQL's `int`, from 1. */
export const Id = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2_147_483_647 }))

/** A number in a path or a query: its digits. Not `+1`, `1.0` or `1e0`, by which the same thing would have many addresses. */
const inDigits = <S extends typeof Id>(number: S) =>
  Schema.String.check(Schema.isPattern(/^[1-9]\d{0,9}$/, { expected: "a whole number from 1" })).pipe(Schema.decodeTo(number, SchemaTransformation.numberFromString))

export const IdInUrl = inDigits(Id)

/** PostgreSQL keeps no NUL in a text, and half of a surrogate pair is no character. */
const storable = Schema.makeFilter<string>((text) => /\0|\p{Surrogate}/u.test(text) ? "a text of whole characters, without NUL" : undefined)

/** A name as a person gives it. */
export const Name = Schema.String.check(Schema.isNonEmpty(), Schema.isMaxLength(200), storable)

/** A text that may be longer. */
export const Text = Schema.String.check(Schema.isMaxLength(10_000), storable)

/** An address for letters. Nothing that could end a line of their head. */
export const Email = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}$/, { expected: "an address like ada@shop.example" }))

/** How many rows a page of a list has. */
export const Limit = inDigits(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))

/** `If-Match`, `If-None-Match`: one or more tags, or a star. */
export const Tags = Schema.String.check(Schema.isMaxLength(1000))
