"""Real pairs, scored with the model that ships with the extension."""

import json
import statistics

import engines
import models
from findings import format_number, spread

LEAST_CORRELATION = {"bf16": 0.9995, "int8": 0.995}
MOST_FLIPS = {"bf16": 0.003, "int8": 0.01}


def agreement(bench):
    """bf16 and int8 against f32 over up to 1,000 real pairs with the default model"""
    n = bench.load_pairs(1000)
    raw = {}
    for kind in ("f32", "bf16", "int8"):
        session = bench.session("default", 1, None)
        try:
            session.set("srm.compute", kind)
        except bench.SqlError as error:
            bench.note(f"agreement of {kind} is left out: {error}")
            session.close()
            continue
        session.ask(f"DROP TABLE IF EXISTS agree_{kind}; CREATE TABLE agree_{kind} AS "
                    "SELECT id, srm_score(prompt, chosen) AS chosen, srm_score(prompt, rejected) AS rejected "
                    f"FROM pairs WHERE id <= {n}")
        if kind != "f32":
            raw[kind] = compare(bench, session, kind, n)
        session.close()
    return raw


def compare(bench, session, kind, n):
    correlation, largest = map(float, session.value(f"""
        WITH scores AS (
            SELECT a.chosen AS x, b.chosen AS y FROM agree_f32 a JOIN agree_{kind} b USING (id)
            UNION ALL SELECT a.rejected, b.rejected FROM agree_f32 a JOIN agree_{kind} b USING (id)),
        ranks AS (SELECT rank() OVER (ORDER BY x) AS x, rank() OVER (ORDER BY y) AS y, abs(x - y) AS d FROM scores)
        SELECT corr(x, y), max(d) FROM ranks""").split("|"))
    flips = int(session.value(f"""
        SELECT count(*) FROM agree_f32 a JOIN agree_{kind} b USING (id)
        WHERE sign(a.chosen - a.rejected) <> sign(b.chosen - b.rejected)"""))
    where = f"{kind} against f32, {n:,} pairs"
    bench.findings.add("rank correlation of scores", where, correlation, "correlation",
                       least=LEAST_CORRELATION[kind], detail=f"largest difference of scores {largest:.3g}")
    bench.findings.add("preference flips", where, flips / n, "%", most=MOST_FLIPS[kind], detail=f"{flips} of {n:,}")
    return {"correlation": correlation, "flips": flips, "largest": largest}


def token_ids(session, condition):
    """What the model reads of the pairs, for engines that have no text side."""
    lines = session.ask(f"""
        SELECT array_to_json(array_agg(t.token_id ORDER BY t.token_no))
        FROM pairs, unnest(ARRAY[chosen, rejected]) WITH ORDINALITY AS r(response, no),
            srm_tokenize(jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt),
                jsonb_build_object('role', 'assistant', 'content', response))) AS t
        WHERE {condition} GROUP BY id, no ORDER BY id, no""")
    return [json.loads(line) for line in lines]


def torch_seconds(bench, ids, dtype, n_threads, binding):
    engine = engines.make(bench, "default", f"torch-{dtype}")
    engine.open(n_threads, binding)
    seconds = engine.ask("batches", bench.write_json("token_ids.json", ids))
    engine.close()
    return seconds


def default_model(bench):
    """pairs in a second with the default model, beside PyTorch at batch 32"""
    table, n = bench.pairs_table(2000)
    session = bench.session("default", 1, None)
    ids = token_ids(session, f"id <= {n}")
    raw = {"pairs": n, "tokens": sum(map(len, ids))}
    for n_threads in bench.threads:
        session.ask(f"ALTER TABLE {table} SET (parallel_workers = {n_threads}); SET parallel_setup_cost = 0; "
                    "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; "
                    "SET parallel_leader_participation = off; "
                    f"SET max_parallel_workers_per_gather = {n_threads if n_threads > 1 else 0}")
        query = f"SELECT sum(srm_margin(prompt, chosen, rejected)) FROM {table}"
        raw[n_threads] = measure_pairs(bench, session, query, ids, n_threads)
        best = min(raw[n_threads]["torch"].items(), key=lambda item: statistics.median(item[1]), default=None)
        own = spread([n / value for value in raw[n_threads]["srm"]])
        detail = "({:.0f}-{:.0f})".format(*own[1:])
        if best is not None:
            detail += "; PyTorch {} {:.0f} ({:.0f}-{:.0f})".format(
                best[0], *spread([n / value for value in best[1]]))
        bench.findings.add("default model, real pairs", f"{n:,} pairs, {n_threads} worker(s) or thread(s)", own[0],
                           "pairs/s", detail=detail)
    session.close()
    return raw


def measure_pairs(bench, session, query, ids, n_threads):
    seconds = {"srm": [], "torch": {}}
    bindings = ["unbound"] if n_threads == 1 else list(engines.PEER_THREADS)
    for i in range(bench.repetitions):
        seconds["srm"].append(session.seconds(f"bench_query({bench.literal(query)})"))
        # A minute each
        for dtype in [dtype for dtype in ("f32", "bf16") if f"torch-{dtype}" in bench.engine_names()] if i == 0 else ():
            for binding in bindings:
                try:
                    taken = torch_seconds(bench, ids, dtype, n_threads, binding)
                except (engines.Unavailable, OSError, ValueError) as error:
                    bench.note(f"PyTorch is left out: {error}")
                    continue
                seconds["torch"].setdefault(f"{dtype}, {binding}", []).append(taken)
    return seconds


def cost_by_rows(bench):
    """time by rows: 100, 1,000, 10,000"""
    raw, found = {}, []
    session = bench.session("default", 1, None)
    session.ask("SET max_parallel_workers_per_gather = 0")
    loaded = bench.load_pairs(10000)
    for n in (100, 1000, 10000):
        if n > loaded:
            bench.note(f"cost of {n:,} rows is left out: only {loaded:,} pairs; see --data")
            break
        query = f"SELECT sum(srm_score(prompt, chosen)) FROM pairs WHERE id <= {n}"
        raw[n] = [session.seconds(f"bench_query({bench.literal(query)})") for _ in range(3 if n < 5000 else 1)]
        found.append((n, statistics.median(raw[n])))
    session.close()
    for n, seconds in found:
        bench.findings.add("cost by rows", f"{n:,} rows", 1e6 * seconds / n, "µs a row",
                           detail=f"{format_number(seconds)} s")
    if len(found) > 1:
        each = [seconds / n for n, seconds in found]
        bench.findings.add("cost by rows", "a row of most over a row of fewest", each[-1] / each[0], "x", most=1.1)
    return raw


def cost_by_tokens(bench):
    """time by tokens: 128 to 4096, and attention's share"""
    shape, raw = models.SHAPES["small"], {}
    engine = engines.Extension(bench, "small", "bf16")
    engine.open(1, "")
    engine.passes([128])
    for n in (128, 256, 512, 1024, 2048, 4096):
        raw[n] = [engine.passes([n])[0] for _ in range(5 if n <= 512 else 3 if n <= 2048 else 2)]
    engine.close()
    base = statistics.median(raw[128])
    for n, values in raw.items():
        seconds = statistics.median(values)
        share = models.attention_flops(shape, n) / (models.attention_flops(shape, n) + models.product_flops(shape, n))
        bench.findings.add("cost by tokens", f"{n} tokens", 1e3 * seconds / n, "ms a token",
                           detail=f"{seconds / n / (base / 128):.2f} x that of 128; attention is {100 * share:.0f} % "
                                  "of the operations")
    return raw
