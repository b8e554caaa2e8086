"""What scores rows, each with a way from table to table and single calls: the extension, and services."""

import concurrent.futures
import csv
import http.client
import json
import os
import subprocess
import threading
import time

import checkpoint
import engines

BATCH = 32                      # conversations a request
IN_FLIGHT = 2                   # requests at once, so that a service tokenizes one while it computes another


class Own:
    """The extension: a statement, and sessions for single calls."""

    def __init__(self, bench, kind, way):
        self.bench, self.kind, self.way = bench, kind, way
        self.n_rows = bench.arguments.rows
        self.name = f"srm-{kind}"
        directory = bench.model_path("table", "bfloat16" if kind == "bf16" else "float32")
        self.model = checkpoint.make_computed(directory, "auto" if kind == "bf16" else kind)
        with bench.session(self.model, 1, None) as session:
            session.ask("SELECT srm_score('a', 'b')")       # weights are prepared by the first call ever

    def open(self):
        pass

    def close(self):
        pass

    def score_table(self, n_threads):
        workers = n_threads if self.way.startswith("workers") else 1
        session = self.bench.session(self.model, n_threads if workers == 1 else 1, None)
        if self.way == "UPDATE":
            session.ask("DROP TABLE IF EXISTS scored; CREATE TABLE scored AS SELECT id, prompt, response, "
                        "NULL::real AS score FROM rows; VACUUM ANALYZE scored")
            statement = f"UPDATE scored SET score = srm_score('{self.model}', prompt, response)"
        else:
            session.ask("DROP TABLE IF EXISTS scored")
            batch = min(100, max(self.n_rows // 10, 1))     # so that workers end at about the same time
            statement = ("CALL srm_score_table('rows', 'scored', prompt => 'prompt', response => 'response', "
                         f"model => '{self.model}', workers => {workers}, batch => {batch})")
        start = time.perf_counter()
        session.ask(statement)
        seconds = time.perf_counter() - start
        session.close()
        return seconds

    def callers(self, n_clients, n_threads):
        """A function for each client, which scores a conversation; and one that ends them."""
        each = n_threads if n_clients == 1 else 1
        sessions = [self.bench.session(self.model, each, None) for _ in range(n_clients)]

        def caller(session):
            return lambda prompt, response: session.value(
                f"SELECT srm_score({self.bench.literal(prompt)}, {self.bench.literal(response)})")

        callers = [caller(session) for session in sessions]
        for call in callers:
            call("a", "b")
        return callers, lambda: [session.close() for session in sessions]


class Connection:
    """One that stays, to a service."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def scores(self, conversations):
        body = json.dumps({"conversations": conversations})
        self.connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"the service answers {answer.status}: {text[:200]!r}")
        return json.loads(text)["scores"]


class Service:
    """A peer behind HTTP, and a client that reads rows, asks it, and writes back."""

    way = "service"

    def __init__(self, bench, name, n_threads):
        self.bench, self.name, self.n_threads = bench, name, n_threads
        self.engine = engines.make(bench, "table", name)

    def open(self):
        self.process = subprocess.Popen(
            [self.bench.python, os.path.join(engines.HERE, "service.py"), *self.engine.arguments(self.n_threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.bench.log, text=True,
            env=engines.peer_environment("unbound"))
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ready":
            raise engines.Unavailable(self.bench.last_words())
        self.port = int(words[1])
        self.local = threading.local()
        self.request([["Warm.", "Up. " * 100]] * 4)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def request(self, conversations):
        if not hasattr(self.local, "connection"):
            self.local.connection = Connection(self.port)
        return self.local.connection.scores(conversations)

    def score_table(self, n_threads):
        """n_threads is that of the service, which was started with it."""
        session, path = self.bench.server.session(), os.path.join(self.bench.work, "rows.csv")
        session.ask("DROP TABLE IF EXISTS scored; CREATE TABLE scored (id int PRIMARY KEY, score real)")
        start = time.perf_counter()
        session.ask(f"\\copy (SELECT id, prompt, response FROM rows) TO {self.bench.literal(path)} CSV")
        with open(path, encoding="utf-8", newline="") as file:
            rows = sorted(csv.reader(file), key=lambda row: len(row[1]) + len(row[2]))
        batches = [rows[at:at + BATCH] for at in range(0, len(rows), BATCH)]
        with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
            scores = list(pool.map(lambda batch: self.request([row[1:] for row in batch]), batches))
        with open(path, "w", encoding="ascii") as file:
            for batch, values in zip(batches, scores):
                file.writelines(f"{row[0]},{value!r}\n" for row, value in zip(batch, values))
        session.ask(f"\\copy scored FROM {self.bench.literal(path)} CSV")
        seconds = time.perf_counter() - start
        session.close()
        return seconds

    def callers(self, n_clients, n_threads):
        connections = [Connection(self.port) for _ in range(n_clients)]

        def caller(connection):
            return lambda prompt, response: connection.scores([[prompt, response]])[0]

        return [caller(connection) for connection in connections], lambda: None
