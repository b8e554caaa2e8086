#!/usr/bin/env python3
"""A small local service that scores conversations with another engine, as one would put it beside a database.

usage: service.py ENGINE THREADS MODEL_DIRECTORY [GRAPH]

Prints "ready PORT", and answers POST with {"conversations": [[prompt, response], ...]} by {"scores": [...]}:
it renders the chat template, tokenizes, and computes batches of texts of about the same length.  Requests
that come at once wait for each other, as each has all threads.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jinja2
from tokenizers import Tokenizer

import peers


class Reader:
    """What a model reads of conversations."""

    def __init__(self, directory):
        with open(os.path.join(directory, "tokenizer_config.json"), encoding="utf-8") as file:
            template = json.load(file)["chat_template"]
        self.template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(template)
        self.tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))

    def render(self, prompt, response):
        return self.template.render(messages=[{"role": "user", "content": prompt},
                                              {"role": "assistant", "content": response}])

    def ids(self, conversations):
        texts = [self.render(*conversation) for conversation in conversations]
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]


class Service:
    def __init__(self, engine, n_threads, directory, *graph):
        self.reader = Reader(directory)
        self.peer = peers.open_peer(engine, n_threads, directory, *graph)
        self.lock = threading.Lock()

    def scores(self, conversations):
        ids = self.reader.ids(conversations)
        with self.lock:
            return peers.in_batches(self.peer, ids)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1                   # headers and body in one packet

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"scores": self.server.service.scores(request["conversations"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Takes a call of each of many clients at once."""

    daemon_threads = True
    request_queue_size = 64  # read as the socket is opened


def main():
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    server = Server(("127.0.0.1", 0), Handler)
    server.service = Service(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    print("ready", server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()                # ends with the bench


if __name__ == "__main__":
    main()
