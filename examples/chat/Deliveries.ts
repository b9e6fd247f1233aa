/** The ids of the lines that a user has said, so that a line that is sent again is not said again. */

/** So many of them count. A client that waits for answers has far fewer on the way. */
const most = 1024

export class Deliveries {
  /** In order of arrival. */
  private readonly ids = new Set<string>()

  /** Notes an id; tells whether it is new. */
  isNew(id: string): boolean {
    if (this.ids.has(id)) return false
    this.ids.add(id)
    if (this.ids.size > most) {
      for (const oldest of this.ids) {
        this.ids.delete(oldest)
        break
      }
    }
    return true
  }
}
