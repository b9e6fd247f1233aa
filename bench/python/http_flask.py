"""The same HTTP server with Flask and psycopg2 on gunicorn, one worker. Prints its port.

It opens a connection when a request first asks for it, and closes it after the answer, as Flask's tutorial does. With
the word `keep` the worker has one connection, and keeps it.
"""

import os
import sys

import psycopg2
from flask import Flask, Response, g, jsonify
from gunicorn.app.base import BaseApplication

app = Flask(__name__)
keeps = sys.argv[1:] == ["keep"]
kept = None


def connect():
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    return connection


def database():
    if keeps:
        return kept
    if "connection" not in g:
        g.connection = connect()
    return g.connection


@app.teardown_appcontext
def close_connection(_error):
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()


@app.route("/hello")
def hello():
    return Response("Hello, World!", mimetype="text/plain")


@app.route("/brands")
def brands():
    with database().cursor() as cursor:
        cursor.execute("select brand_id, brand_name from brand order by brand_id")
        return jsonify([{"brand_id": row[0], "brand_name": row[1]} for row in cursor.fetchall()])


class Server(BaseApplication):
    def load_config(self):
        for name, value in {
            "bind": "127.0.0.1:0",
            "workers": 1,
            "backlog": 2048,
            "loglevel": "error",
            "post_worker_init": begin,
        }.items():
            self.cfg.set(name, value)

    def load(self):
        return app


def begin(worker):
    global kept
    if keeps:
        kept = connect()
    # The worker listens already: the master has opened this socket.
    print(worker.sockets[0].getsockname()[1], flush=True)


Server().run()
