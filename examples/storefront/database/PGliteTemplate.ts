/**
 * Opens the embedded database. A new one is a copy of one that was made before: to make the files of an empty database takes
 * seconds, to copy them a few tenths of one.
 *
 * The copy is in `node_modules/.cache`. Where nothing can be written it is done without, and one that is broken is made
 * again.
 */
import { PGlite } from "@electric-sql/pglite"
import * as fs from "node:fs"
import * as path from "node:path"
import * as url from "node:url"

/** Opens the database in this folder, or one in memory. */
export const open = async (folder: string | undefined): Promise<PGlite> => {
  if (folder === undefined) return make(undefined)
  // Written when all files are there. A program that was killed before has left some of them, and no data.
  const whole = `${folder}.whole`
  if (fs.existsSync(whole)) return PGlite.create(folder)
  fs.rmSync(folder, { recursive: true, force: true })
  const db = await make(folder)
  fs.writeFileSync(whole, "")
  return db
}

const make = async (folder: string | undefined): Promise<PGlite> => {
  const template = fs.existsSync(templateFile) ? new Blob([fs.readFileSync(templateFile)]) : undefined
  if (template !== undefined) {
    try {
      return await PGlite.create({ ...(folder === undefined ? {} : { dataDir: folder }), loadDataDir: template })
    } catch {
      // What it has written so far is of no use either.
      for (const broken of [templateFile, folder]) if (broken !== undefined) fs.rmSync(broken, { recursive: true, force: true })
    }
  }
  const db = await (folder === undefined ? PGlite.create() : PGlite.create(folder))
  await keep(db).catch(() => {})
  return db
}

const packageFile = url.fileURLToPath(import.meta.resolve("@electric-sql/pglite"))

/** Another version of PGlite has another one. */
const templateFile = ((): string => {
  const modules = packageFile.slice(0, packageFile.lastIndexOf(`${path.sep}@electric-sql${path.sep}`))
  const { mtimeMs, size } = fs.statSync(path.join(path.dirname(packageFile), "pglite.data"))
  return path.join(modules, ".cache", "storefront", `pglite-${size}-${Math.round(mtimeMs)}.tar`)
})()

const keep = async (db: PGlite): Promise<void> => {
  const files = await db.dumpDataDir("none")
  // By another name first: two that start at the same time must not read half of it.
  const written = `${templateFile}.${process.pid}`
  fs.mkdirSync(path.dirname(templateFile), { recursive: true })
  fs.writeFileSync(written, Buffer.from(await files.arrayBuffer()))
  fs.renameSync(written, templateFile)
}
