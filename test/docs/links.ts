/** Relative links of Markdown pages, and whether they lead anywhere. */
import * as fs from "node:fs"
import * as path from "node:path"

/** The page without code: fences become empty lines, code spans disappear. */
const prose = (markdown: string): Array<string> => {
  let mark: string | undefined
  return markdown.split(/\r?\n/).map((line) => {
    const fence = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark === undefined && fence !== undefined) {
      mark = fence
      return ""
    }
    if (mark !== undefined) {
      if (fence !== undefined && fence.startsWith(mark)) mark = undefined
      return ""
    }
    return line
  })
}

/** The anchor that GitHub gives a heading. */
export const slugOf = (heading: string): string =>
  heading.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/<[^>`]*>(?![^`]*`)/g, "").trim().toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "").replaceAll(" ", "-")

export const anchorsOf = (markdown: string): Set<string> => {
  const anchors = new Set<string>()
  for (const line of prose(markdown)) {
    const heading = /^ {0,3}#{1,6} +(.*?)(?: +#+)?$/.exec(line)
    if (heading !== null) {
      const slug = slugOf(heading[1]!)
      let anchor = slug
      for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`
      anchors.add(anchor)
    }
    for (const named of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(named[1]!)
  }
  return anchors
}

export interface Link {
  readonly line: number
  readonly target: string
}

export const linksOf = (markdown: string): Array<Link> =>
  prose(markdown).flatMap((line, index) => {
    const text = line.replaceAll(/`+[^`]*`+/g, (code) => " ".repeat(code.length))
    const found = [
      ...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
      ...text.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?/g),
      ...text.matchAll(/<(?:a|img)[^>]* (?:href|src)="([^"]+)"/g)
    ]
    return found.map((match) => ({ line: index + 1, target: match[1]! }))
  })

/** The links of these pages that lead nowhere, as `file:line: target: why`. */
export const brokenLinks = (pages: ReadonlyArray<string>, root: string): Array<string> => {
  const read = (file: string) => fs.readFileSync(path.join(root, file), "utf8")
  return pages.flatMap((page) =>
    linksOf(read(page)).flatMap(({ line, target }) => {
      // Other sites are not ours to test: the tests need no network.
      if (/^[a-z][a-z+.-]*:/i.test(target) || target.startsWith("//")) return []
      const say = (why: string) => [`${page}:${line}: ${target}: ${why}`]
      const [file = "", anchor] = target.split("#")
      const decoded = decodeURIComponent(file)
      if (decoded.startsWith("/")) return say("is absolute; link from this page's folder")
      const goal = decoded === "" ? page : path.posix.join(path.posix.dirname(page), decoded)
      if (goal.startsWith("../")) return say("leads out of the repository")
      if (!fs.existsSync(path.join(root, goal))) return say("there is no such file")
      if (anchor === undefined || anchor === "" || !goal.endsWith(".md")) return []
      return anchorsOf(read(goal)).has(decodeURIComponent(anchor)) ? [] : say("there is no such heading")
    })
  )
}
