/** Cuts SQL into its statements. A `;` inside of a text, a name, a comment or a dollar-quoted body ends nothing. */

/** What begins here and must be jumped over as a whole. */
const opaque: ReadonlyArray<RegExp> = [
  /--[^\n]*/y,
  // A text of the form E'…' knows backslashes, the usual one does not.
  /\b[eE]'(?:[^'\\]|\\[^]|'')*(?:'|$)/y,
  /'(?:[^']|'')*(?:'|$)/y,
  /"(?:[^"]|"")*(?:"|$)/y,
  /\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?(?:\$\1\$|$)/y
]

/** Comments of this kind may stand in each other. */
const blockComment = (sql: string, from: number): number => {
  let depth = 0
  let at = from
  do {
    if (sql.startsWith("/*", at)) {
      depth++
      at += 2
    } else if (sql.startsWith("*/", at)) {
      depth--
      at += 2
    } else at++
  } while (depth > 0 && at < sql.length)
  return at
}

const skip = (sql: string, at: number): number => {
  if (sql.startsWith("/*", at)) return blockComment(sql, at)
  for (const pattern of opaque) {
    pattern.lastIndex = at
    const found = pattern.exec(sql)
    if (found !== null) return at + found[0].length
  }
  return at + 1
}

/** The statements of a text, without the `;` and without those that are only space. */
export const statementsOf = (sql: string): ReadonlyArray<string> => {
  const statements: Array<string> = []
  let begin = 0
  for (let at = 0; at <= sql.length;) {
    if (at === sql.length || sql[at] === ";") {
      const statement = sql.slice(begin, at).trim()
      if (!isEmpty(statement)) statements.push(statement)
      begin = ++at
    } else at = skip(sql, at)
  }
  return statements
}

/** Nothing but space and comments. */
const isEmpty = (statement: string): boolean => {
  for (let at = 0; at < statement.length;) {
    if (statement.startsWith("--", at) || statement.startsWith("/*", at)) at = skip(statement, at)
    else if (/\s/.test(statement[at]!)) at++
    else return false
  }
  return true
}

/** The first words of a statement, at most so many, until something comes that is no word. */
export const wordsOf = (statement: string, most: number): ReadonlyArray<string> => {
  const words: Array<string> = []
  for (let at = 0; at < statement.length && words.length < most;) {
    const space = /^\s/.test(statement[at]!)
    if (space || statement.startsWith("--", at) || statement.startsWith("/*", at)) {
      at = space ? at + 1 : skip(statement, at)
      continue
    }
    const word = /^\w+/.exec(statement.slice(at))
    if (word === null) break
    words.push(word[0])
    at += word[0].length
  }
  return words
}

/** Whether a transaction is open after this statement, when it was before or was not. */
export const isOpenAfter = (statement: string, before: boolean): boolean => {
  if (/^(begin|start\s+transaction)\b/i.test(statement)) return true
  if (/^(commit|end|abort|rollback)\b(?!\s+(work\s+|transaction\s+)?to\b)(?!\s+prepared\b)/i.test(statement)) return false
  return before
}
