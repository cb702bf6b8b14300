# Rows of an SQLite database in WAL mode over Python's http.server, a thread a request: POST adds one, GET has all.
import http.server
import sqlite3
import sys

PATH = sys.argv[1]


def connect():
    return sqlite3.connect(PATH, timeout=30)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        db = connect()
        self.answer("".join(f"{row[0]}\n" for row in db.execute("select text from rows order by text")))
        db.close()

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        db = connect()
        with db:
            db.execute("insert into rows values (?)", (text,))
        db.close()
        self.answer("added\n")

    def log_message(self, *_):
        pass


db = connect()
mode = db.execute("pragma journal_mode=wal").fetchone()[0]
assert mode == "wal", mode
db.execute("create table if not exists rows (text)")
db.close()
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
