"""A chat with asyncio's streams as a textbook writes it: a dictionary of writers, and a task for each user.

Every line is written to one user after the other, and the next one has to wait until the one before has been
drained. So one user who does not read stops the chat for all. Prints its port.
"""
import asyncio


class ChatServer:
    def __init__(self):
        self.writers = {}
        self.listeners = {}

    async def start(self, host, port):
        server = await asyncio.start_server(self.client_connected, host, port, backlog=511)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()

    async def client_connected(self, reader, writer):
        command = await reader.readline()
        verb, _, arguments = command.partition(b" ")
        if verb != b"CONNECT":
            writer.close()
            await writer.wait_closed()
            return
        username = arguments.replace(b"\n", b"").decode()
        self.writers[username] = writer
        self.listeners[username] = asyncio.create_task(self.listen(username, reader))
        writer.write(f"Welcome! {len(self.writers)} user(s) are online!\n".encode())
        await writer.drain()
        await self.notify_all(f"{username} connected!\n")

    async def listen(self, username, reader):
        try:
            while (data := await asyncio.wait_for(reader.readline(), 60)) != b"":
                await self.notify_all(f"{username}: {data.decode()}")
        except (ConnectionError, asyncio.TimeoutError):
            pass
        await self.remove(username)
        await self.notify_all(f"{username} has left the chat\n")

    async def remove(self, username):
        writer = self.writers.pop(username, None)
        self.listeners.pop(username, None)
        if writer is None:
            return
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass

    async def notify_all(self, message):
        gone = []
        # A copy, because users come while this waits: without it a second join ends the loop with a RuntimeError.
        for username, writer in list(self.writers.items()):
            try:
                writer.write(message.encode())
                await writer.drain()
            except ConnectionError:
                gone.append(username)
        for username in gone:
            await self.remove(username)


asyncio.run(ChatServer().start("127.0.0.1", 0))
