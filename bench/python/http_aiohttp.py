"""The same HTTP server with aiohttp and asyncpg. Prints its port."""

import asyncio
import os
import socket

import asyncpg
from aiohttp import web


async def hello(request):
    return web.Response(text="Hello, World!")


async def brands(request):
    rows = await request.app["pool"].fetch("select brand_id, brand_name from brand order by brand_id")
    return web.json_response([dict(row) for row in rows])


async def main():
    app = web.Application()
    app.router.add_get("/hello", hello)
    app.router.add_get("/brands", brands)
    app["pool"] = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=6, max_size=6)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    await web.SockSite(runner, listener, backlog=1024).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
