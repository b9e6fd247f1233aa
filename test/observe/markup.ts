/** Whether a text is well-formed XML, as far as the pictures need it: tags, attributes, entities, allowed characters. */
export const problemsOf = (xml: string): Array<string> => {
  const problems: Array<string> = []
  const open: Array<string> = []
  const ids = new Set<string>()
  // oxlint-disable-next-line no-control-regex
  const bad = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u.exec(xml)
  if (bad !== null) problems.push(`a character that no XML may contain at ${bad.index}`)
  const token = /<!--[\s\S]*?-->|<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)|(<)/g
  for (const [whole, closing, name, attributes, empty, text, stray] of xml.matchAll(token)) {
    if (stray !== undefined) problems.push("a < that begins no tag")
    const content = text ?? attributes ?? ""
    if (/&(?!(?:amp|lt|gt|quot|#\d+|#x[\da-f]+);)/i.test(content)) problems.push(`a bare & in ${whole.slice(0, 60)}`)
    if (name === undefined) continue
    for (const [, id] of content.matchAll(/\sid="([^"]*)"/g)) {
      if (ids.has(id!)) problems.push(`id ${id} twice`)
      ids.add(id!)
    }
    if (closing === "/") {
      const opened = open.pop()
      if (opened !== name) problems.push(`</${name}> closes <${opened}>`)
    } else if (empty !== "/") open.push(name)
  }
  for (const name of open) problems.push(`<${name}> is not closed`)
  for (const [, id] of xml.matchAll(/url\(#([^)]*)\)/g)) if (!ids.has(id!)) problems.push(`nothing has the id ${id}`)
  return problems
}

/** The texts that the picture shows, without titles. */
export const wordsOf = (svg: string): Array<string> =>
  [...svg.replaceAll(/<title[^>]*>[\s\S]*?<\/title>/g, "").matchAll(/<text[^>]*>([\s\S]*?)<\/text>/g)]
    .map(([, inner]) => inner!.replaceAll(/<[^>]*>/g, "")
      .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", "\"").replaceAll("&#39;", "'").replaceAll("&amp;", "&"))
