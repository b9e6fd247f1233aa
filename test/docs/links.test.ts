import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { filesBelow, root } from "./blocks.ts"
import { anchorsOf, brokenLinks, linksOf, slugOf } from "./links.ts"

const pages = [
  ...fs.readdirSync(root).filter((file) => file.endsWith(".md")).sort(),
  ...["docs", "examples", "bench", "test"].flatMap((folder) => filesBelow(folder, ".md"))
]

describe("links", () => {
  it("between the pages of the repository lead to files and headings that exist", () => {
    assert.deepStrictEqual(brokenLinks(pages, root), [])
  })

  it("are found in text, lists of references and images, not in code", () => {
    const page = "[a](x.md#y) ![i](<i.svg> \"t\")\n[b]: z.md\n`[no](no.md)`\n```md\n[no](no.md)\n```\n<img alt=\"\" src=\"p.png\">\n"
    assert.deepStrictEqual(linksOf(page).map((_) => `${_.line} ${_.target}`), ["1 x.md#y", "1 i.svg", "2 z.md", "7 p.png"])
  })

  it("meet the anchors that GitHub makes of headings", () => {
    assert.strictEqual(slugOf("`Nursery.open(body)`, and why?"), "nurseryopenbody-and-why")
    assert.strictEqual(slugOf("`Fails<E>` _as_ [a link](x.md)"), "failse-_as_-a-link")
    assert.deepStrictEqual([...anchorsOf("# A b\n## A b\n```\n# no\n```\n<a id=\"own\"></a>\n")], ["a-b", "a-b-1", "own"])
  })

  it("that lead nowhere are reported", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-links-"))
    try {
      fs.mkdirSync(path.join(folder, "docs"))
      fs.writeFileSync(path.join(folder, "README.md"), "# Top\n\n[1](docs/a.md#here) [2](docs/b.md) [3](#top) [4](#down) [5](https://effect.website)\n")
      fs.writeFileSync(path.join(folder, "docs", "a.md"), "# Here\n\n[1](../README.md#top) [2](../README.md#here) [3](/README.md) [4](../../x.md)\n")
      assert.deepStrictEqual(brokenLinks(["README.md", "docs/a.md"], folder), [
        "README.md:3: docs/b.md: there is no such file",
        "README.md:3: #down: there is no such heading",
        "docs/a.md:3: ../README.md#here: there is no such heading",
        "docs/a.md:3: /README.md: is absolute; link from this page's folder",
        "docs/a.md:3: ../../x.md: leads out of the repository"
      ])
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})
