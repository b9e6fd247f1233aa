/**
 * The last guard of what is written down: a text may quote an address, and the address may have a password in it.
 *
 * It is no reason to be careless before: what is `Redacted` cannot be printed by mistake, and a password alone is not
 * recognized here.
 */

/** `scheme://name:password@host`. What ends a text in JSON ends the password, too, or a whole line could pass for one. */
const inAddress = /(\w:\/\/[^\s/:@"',{}]*):[^\s/@"',{}]+@/g

export const withoutPasswords = (text: string): string => text.includes("://") ? text.replaceAll(inAddress, "$1:<redacted>@") : text
