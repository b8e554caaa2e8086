"""Many backends: parallel workers, memory, and the first call of a new one."""

import os
import statistics
import threading
import time

import machine
import models
import targets
from findings import spread

MODEL = models.model_name("small", "bfloat16")
WEIGHT_BYTES = 2                    # of a parameter in bf16


def parallel(bench):
    """two parallel workers over one, up to 2,000 rows of real pairs, the default model"""
    table, n = bench.pairs_table(2000)
    session = bench.session("default", 1, None)
    session.ask(f"ALTER TABLE {table} SET (parallel_workers = 2); SET parallel_setup_cost = 0; "
                "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; "
                "SET parallel_leader_participation = off; SET max_parallel_workers = 4")
    query = f"SELECT sum(srm_score(prompt, chosen)) FROM {table}"
    seconds = {1: [], 2: []}
    for i in range(bench.repetitions):
        for workers in (1, 2) if i % 2 == 0 else (2, 1):
            session.ask(f"SET max_parallel_workers_per_gather = {workers}")
            seconds[workers].append(session.seconds(f"bench_query({bench.literal(query)})"))
    plan = "\n".join(session.ask("EXPLAIN (ANALYZE, COSTS OFF) " + query))
    session.close()
    assert "Workers Launched: " in plan, plan
    one, two = spread(seconds[1]), spread(seconds[2])
    bench.findings.add("two parallel workers over one", f"{n:,} rows, default model", one[0] / two[0], "x",
                       least=1.85, detail="{:.3g} ({:.3g}-{:.3g}) s and {:.3g} ({:.3g}-{:.3g}) s".format(*one, *two))
    return {"rows": n, "seconds": seconds}


class Pss:
    """The most memory that processes have together, looked at again and again."""

    def __init__(self, pids):
        self.pids = pids
        self.most = [0]         # in all, of their own, of files, of shared memory
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.stopped.wait(0.1):
            total = [sum(parts) for parts in zip(*map(machine.pss_bytes, self.pids))]
            self.most = max(self.most, total)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()


def memory(bench):
    """8 backends that score at once: sum of their PSS over the weights' bytes"""
    texts = bench.texts("small")
    prepare(bench)
    sessions = [bench.session(MODEL, 1, "bf16") for _ in range(8)]
    calls = [[texts.conversation(n) for n in (128, 512, 512)] for _ in sessions]

    def work(session, conversations):
        for prompt, response in conversations:
            session.seconds(f"bench_score({bench.literal(prompt)}, {bench.literal(response)})")

    with Pss([session.pid() for session in sessions]) as pss:
        threads = [threading.Thread(target=work, args=pair) for pair in zip(sessions, calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.3)
    for session in sessions:
        session.close()
    layers = WEIGHT_BYTES * models.block_parameters(models.SHAPES["small"])
    weights = os.path.getsize(os.path.join(bench.model_path("small", "bfloat16"), "model.safetensors"))
    bench.findings.add("memory of 8 backends over the weights' bytes", "0.44 B model in bf16, 512 tokens each",
                       pss.most[0] / weights, "x", most=targets.wanted("memory"),
                       detail="sum of PSS {:.0f} MiB, of that private {:.0f}, files {:.0f}, shared memory {:.0f}; "
                              "weights {:.0f} MiB; {:.2f} x the {:.0f} MiB without the embedding".format(
                                  *(value / 2**20 for value in (*pss.most, weights)),
                                  pss.most[0] / layers, layers / 2**20))
    return {"pss": pss.most, "weights": weights, "layers": layers}


def prepare(bench):
    """Weights are prepared by the first call ever, which is not what is measured."""
    with bench.session(MODEL, 1, "bf16") as session:
        session.ask("SELECT srm_score('a', 'b')")


def first_calls(bench, texts, n_sessions):
    """Seconds of a new backend's first call, and of its next ones."""
    first, later = [], []
    for _ in range(n_sessions):
        with bench.server.session() as session:
            seconds = []
            for _ in range(4):
                prompt, response = map(bench.literal, texts.conversation(128))
                seconds.append(session.seconds(f"bench_score({prompt}, {response})"))
            first.append(seconds[0])
            later += seconds[1:]
    return first, later


def first_score(bench):
    """the first score in a new backend above a pass, files in the page cache"""
    texts, raw = bench.texts("small"), {}
    prepare(bench)
    settings = {"srm.model": MODEL}
    preload = {**settings, "shared_preload_libraries": "srm", "srm.preload_models": MODEL}
    for where, more, most in (("not preloaded", settings, 250), ("preloaded", preload, 30)):
        bench.server.restart(**more)
        first_calls(bench, texts, 1)
        first, later = first_calls(bench, texts, bench.repetitions)
        above = [1e3 * (value - statistics.median(later)) for value in first]
        bench.findings.add("first score in a new backend above the pass", f"{where}, 128 tokens",
                           statistics.median(above), "ms", most=most, counts=statistics.median(above) > 0,
                           detail="{:.0f} ({:.0f}-{:.0f}) ms above {:.0f} ms".format(
                               *spread(above), 1e3 * statistics.median(later)) +
                           ("; below zero is noise" if statistics.median(above) <= 0 else ""))
        raw[where] = {"first": first, "later": later}
    bench.server.restart()
    return raw
