"""The same HTTP server with Flask and psycopg2 on gunicorn: one worker, with a connection of its own. Prints its port."""

import os

import psycopg2
from flask import Flask, Response, jsonify
from gunicorn.app.base import BaseApplication

app = Flask(__name__)
connection = None


@app.route("/hello")
def hello():
    return Response("Hello, World!", mimetype="text/plain")


@app.route("/brands")
def brands():
    with connection.cursor() as cursor:
        cursor.execute("select brand_id, brand_name from brand order by brand_id")
        return jsonify([{"brand_id": row[0], "brand_name": row[1]} for row in cursor.fetchall()])


class Server(BaseApplication):
    def load_config(self):
        for name, value in {
            "bind": "127.0.0.1:0",
            "workers": 1,
            "backlog": 2048,
            "loglevel": "error",
            "post_worker_init": connect,
        }.items():
            self.cfg.set(name, value)

    def load(self):
        return app


def connect(worker):
    global connection
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    # The worker listens already: the master has opened this socket.
    print(worker.sockets[0].getsockname()[1], flush=True)


Server().run()
