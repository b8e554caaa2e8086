"""From a table to a table, beside clients of services."""

import json
import statistics
import threading
import time

import clients
import engines
import machine
import report
import rows_real
import targets
from findings import spread

# Weights in bf16 are computed as those in f32 where the processor has nothing better
OWN_KINDS = ("f32", "bf16", "w8", "int8") if "avx512_bf16" in machine.cpu_flags() else ("f32", "w8", "int8")
WAYS = ("workers", "one worker", "UPDATE")
N_CALLS = 96                    # single requests for each number of clients
SAME = 0.001                    # largest difference of scores in f32, over their standard deviation


def make_rows(bench, n):
    """
    Responses of real pairs in a table.  No prompt comes twice, as the extension would compute it once: where there
    are more rows than pairs, a number is put before it.
    """
    bench.load_pairs(n)
    with bench.server.session() as session:
        session.ask(f"""
            CREATE TABLE rows AS
            WITH numbered AS (SELECT row_number() OVER (ORDER BY id) - 1 AS no, count(*) OVER () AS n, * FROM pairs
                WHERE length(prompt || chosen || rejected) <= {rows_real.LONGEST})
            SELECT i + 1 AS id, CASE WHEN i >= n THEN i || '. ' ELSE '' END || prompt AS prompt,
                CASE WHEN i / n % 2 = 0 THEN chosen ELSE rejected END AS response
            FROM generate_series(0, {n} - 1) AS i JOIN numbered ON no = i % n""")
        session.ask("ALTER TABLE rows ADD PRIMARY KEY (id)")
        session.ask("VACUUM ANALYZE rows")
        count, tokens = session.value("SELECT count(*), sum(srm_token_count('bench-table-f32', prompt, response)) "
                                      "FROM rows").split("|")
    return int(count), int(tokens)


def services(bench):
    """Peers that can be one here."""
    return [name for name in bench.engine_names() if not name.startswith(("srm-", "llama-"))]


def ways_to_score(bench, n_threads):
    """All that can be had, opened; what is missing is said."""
    found = []
    for kind in OWN_KINDS:
        if f"srm-{kind}" not in bench.engine_names():
            continue
        try:
            found += [clients.Own(bench, kind, way) for way in (WAYS if kind == "f32" else WAYS[:1])]
        except bench.SqlError as error:
            bench.note(f"srm-{kind} is left out of table: {error}")
    for name in services(bench):
        service = clients.Service(bench, name, n_threads)
        try:
            service.open()
        except (engines.Unavailable, OSError) as error:
            bench.note(f"{name} is left out of table: {error}")
            continue
        found.append(service)
    return found


def take_scores(session):
    return [float(line) for line in session.ask("SELECT score FROM scored ORDER BY id")]


def check_scores(bench, way, scores, exact):
    """Rows that fail or differ make no comparison."""
    assert len(scores) == len(exact), f"{way.name} scored {len(scores)} rows of {len(exact)}"
    largest = max(abs(a - b) for a, b in zip(scores, exact))
    if way.name.endswith("-f32") and largest > SAME * statistics.pstdev(exact):
        bench.note(f"{way.name} by {way.way} gives other scores in f32, by {largest:.3g}")


def latencies(bench, way, n_clients, n_threads, conversations):
    """Seconds of single calls by so many clients at once, each with the next as soon as it has an answer."""
    callers, end = way.callers(n_clients, n_threads)
    todo, seconds, failed = iter(conversations), [], []
    lock = threading.Lock()

    def work(call):
        while True:
            with lock:
                conversation = next(todo, None)
            if conversation is None:
                return
            start = time.perf_counter()
            try:
                call(*conversation)
            except (OSError, bench.SqlError) as error:
                failed.append(error)
                return
            seconds.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(call,)) for call in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end()
    if failed:
        raise OSError(f"{way.name}: {failed[0]}")
    return seconds


def percentile(seconds, share):
    ordered = sorted(seconds)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def add_ratio(bench, where, own, others, rates, least):
    """Ours over the fastest service of some, by rows in a second."""
    own = [label for label in own if label in rates]
    others = [label for label in others if label in rates]
    if not own or not others:
        return
    best, peer = (max(labels, key=lambda label: statistics.median(rates[label])) for labels in (own, others))
    values = [spread(rates[label]) for label in (best, peer)]
    bench.findings.add("table to table over the best service", where, values[0][0] / values[1][0], "x", least=least,
                       detail="{} {:.1f} ({:.1f}-{:.1f}) over {} {:.1f} ({:.1f}-{:.1f}) rows/s".format(
                           best, *values[0], peer, *values[1]))


def add_ratios(bench, n, rates):
    add_ratio(bench, f"f32, {n:,} rows", [label for label in rates if label.startswith("srm-f32")],
              [f"{name}, service" for name in engines.ENGINES["f32"]], rates, targets.wanted("table"))
    for kind in ("int8", "w8"):
        own = bench.agreement.get(f"srm-{kind}")
        eligible = [f"{name}, service" for name in engines.ENGINES["8 bit"]
                    if own and name in bench.agreement and rows_real.as_good(bench.agreement[name], own)]
        add_ratio(bench, f"{kind} over services in 8 bits of the same agreement, {n:,} rows",
                  [f"srm-{kind}, workers"], eligible, rates, None)


def measure_tables(bench, found, n_threads):
    """Rows in a second by way, in turns."""
    rates, exact = {}, None
    with bench.server.session() as session:
        n = int(session.value("SELECT count(*) FROM rows"))
        for i in bench.rounds(bench.arguments.table_rounds):
            for way in found if i % 2 == 0 else reversed(found):
                bench.progress(f"table to table by {way.name}, {way.way}")
                seconds = way.score_table(n_threads)
                scores = take_scores(session)
                exact = exact or scores
                check_scores(bench, way, scores, exact)
                rates.setdefault(f"{way.name}, {way.way}", []).append(n / seconds)
    return n, rates


def measure_latencies(bench, found, n_threads):
    """Seconds by way and number of clients; texts never come twice to the extension."""
    with bench.server.session() as session:
        lines = session.ask(f"SELECT json_build_array(prompt, response) FROM rows ORDER BY id LIMIT {N_CALLS}")
    conversations = [json.loads(line) for line in lines]
    waits = {}
    for way in [way for way in found if way.way in ("workers", "service")]:
        for n_clients in bench.arguments.clients:
            numbered = [(f"{n_clients}. {prompt}", response) for prompt, response in conversations]
            bench.progress(f"single calls by {way.name}, {n_clients} clients")
            try:
                waits[f"{way.name}, {n_clients}"] = latencies(bench, way, n_clients, n_threads, numbered)
            except OSError as error:
                bench.note(f"single calls of {n_clients} clients are left out: {error}")
    return waits


def add_waits(bench, found, waits):
    for key, seconds in waits.items():
        bench.findings.add("single calls, time of one", f"{key} client(s)", 1e3 * percentile(seconds, 0.5), "ms",
                           detail=f"p99 {1e3 * percentile(seconds, 0.99):.0f} ms, {len(seconds)} calls")


def section(bench, n, tokens, n_threads, rates, waits):
    """A table of all ways."""
    counts = bench.arguments.clients
    rows = []
    for label, values in rates.items():
        name = label.split(", ")[0]
        cells = []
        for n_clients in counts:
            seconds = waits.get(f"{name}, {n_clients}") if label.split(", ")[1] in ("workers", "service") else None
            cells.append("" if seconds is None else
                         f"{1e3 * percentile(seconds, 0.5):.0f}, {1e3 * percentile(seconds, 0.99):.0f}")
        rows.append([label, "{:.1f} ({:.1f}-{:.1f})".format(*spread(values)), *cells])
    text = (f"{n:,} rows, {tokens:,} tokens, {n_threads} thread(s) or workers in all; single calls: p50, p99 in ms\n\n" +
            report.table(["by", "rows a second", *(f"{count} client(s)" for count in counts)], rows,
                         right=range(1, 2 + len(counts))))
    bench.sections.append(("From a table to a table", text))


def table(bench):
    """rows of a table to scores in a table, by SQL and by clients of local services; single calls"""
    bench.model_path("table", "float32")
    n, tokens = make_rows(bench, bench.arguments.rows)
    n_threads = max(bench.threads)
    found = ways_to_score(bench, n_threads)
    try:
        n, rates = measure_tables(bench, found, n_threads)
        waits = measure_latencies(bench, found, n_threads)
    finally:
        for way in found:
            way.close()
    for label, values in rates.items():
        bench.findings.add("table to table", f"{label}, {n:,} rows", spread(values)[0], "rows/s",
                           detail="{:.1f}-{:.1f}".format(*spread(values)[1:]))
    add_ratios(bench, n, rates)
    add_waits(bench, found, waits)
    section(bench, n, tokens, n_threads, rates, waits)
    return {"rows": n, "tokens": tokens, "rates": rates, "waits": waits}
