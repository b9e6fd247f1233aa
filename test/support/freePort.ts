/** A port at which nobody listens, for a server that cannot be asked for any free one. */
import { once } from "node:events"
import * as net from "node:net"

export const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}
