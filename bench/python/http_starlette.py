"""The same HTTP server with Starlette on uvicorn (uvloop and httptools, where they are), and asyncpg. Prints its port."""

import os
import socket
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

pool = None


@asynccontextmanager
async def lifespan(app):
    global pool
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=6, max_size=6) as pool:
        yield


async def hello(request):
    return PlainTextResponse("Hello, World!")


async def brands(request):
    rows = await pool.fetch("select brand_id, brand_name from brand order by brand_id")
    return JSONResponse([dict(row) for row in rows])


app = Starlette(routes=[Route("/hello", hello), Route("/brands", brands)], lifespan=lifespan)

if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="error", backlog=1024)).run(sockets=[listener])
