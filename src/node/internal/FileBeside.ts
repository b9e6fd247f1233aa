/** The files of this library that are started as threads: each lies beside the one that starts it, compiled if that is compiled. */
import { existsSync } from "node:fs"
import { extname } from "node:path"

/**
 * The file of this name beside the module at `url`. There is none when a bundler has moved that module and has not taken the file along; some give
 * it no address at all.
 */
export const fileBeside = (url: string | undefined, name: string): URL => {
  const module = url === undefined ? undefined : new URL(url)
  const file = module && new URL(`./${name}${extname(module.pathname)}`, module)
  if (file !== undefined && existsSync(file)) return file
  throw new Error(
    `${name} of effect-nursery is not beside ${url ?? "the module that starts it"}, which a bundler seems to have moved: ` +
      `leave effect-nursery out of the bundle, or make effect-nursery/dist/node/internal/${name}.js an entry of it that keeps its name`
  )
}
