/**
 * Tags of versions (RFC 9110): a client that has a version asks "only if it is not this one any more" (`If-None-Match`), or
 * says "only if it is still this one" (`If-Match`) when it changes it, so that nobody overwrites what they have not seen.
 */

/** The tag of a version: a number that counts the changes of a row. */
export const tagOf = (version: number): string => `"${version}"`

/** The client has it already: 304. A star stands for any version. Weak tags count, too. */
export const hasAlready = (ifNoneMatch: string | undefined, tag: string): boolean =>
  ifNoneMatch !== undefined && (ifNoneMatch.trim() === "*" || tagsIn(ifNoneMatch).some((one) => one.replace(/^W\//, "") === tag))

/** The versions that a change is meant for; nothing when it is meant for any. */
export const versionsIn = (ifMatch: string | undefined): ReadonlyArray<number> | undefined =>
  ifMatch === undefined || ifMatch.trim() === "*"
    ? undefined
    // A tag that is not one of ours is of a version that there is not.
    : tagsIn(ifMatch).map((tag) => /^"\d{1,9}"$/.test(tag) ? Number(tag.slice(1, -1)) : -1)

const tagsIn = (header: string): ReadonlyArray<string> => header.split(",").map((tag) => tag.trim())
