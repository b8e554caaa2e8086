"""Short rows of different prompts beside long ones."""

import time

import models
import targets
from findings import spread

SHORT, LONG = 100, 512          # tokens
TOKENS = {"table": 20480, "small": 2560}    # scored in short and in long rows


def fill_texts(bench, session, name, texts, n_rows, n_tokens):
    """A table of conversations of about so many tokens, a quarter of which is the prompt's."""
    session.ask(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (id int PRIMARY KEY, prompt text, response text)")
    values = ", ".join(f"({i}, {bench.literal(prompt)}, {bench.literal(response)})"
                       for i, (prompt, response) in enumerate(texts.conversation(n_tokens) for _ in range(n_rows)))
    session.ask(f"INSERT INTO {name} VALUES {values}")
    session.ask(f"VACUUM ANALYZE {name}")


def tokens_a_second(bench, session, model, name):
    """By one worker with one thread; and the tokens of a row on average."""
    session.ask("DROP TABLE IF EXISTS packed_scores")
    start = time.perf_counter()
    session.ask(f"CALL srm_score_table('{name}', 'packed_scores', prompt => 'prompt', response => 'response', "
                f"model => '{model}')")
    seconds = time.perf_counter() - start
    n, tokens, problems = map(int, session.value(
        "SELECT count(*), sum(n_tokens), count(problem) FROM packed_scores").split("|"))
    assert problems == 0, f"{problems} rows have a problem"
    return tokens / seconds, tokens / n


def measure_packed(bench, shape, model):
    texts, rates, sizes = bench.texts(shape), {"short": [], "long": []}, {}
    session = bench.session(model, 1, None)
    session.ask("SELECT srm_score('a', 'b')")
    for i in bench.rounds(min(bench.repetitions, 2)):
        fill_texts(bench, session, "short", texts, TOKENS[shape] // SHORT, SHORT)
        fill_texts(bench, session, "long", texts, TOKENS[shape] // LONG, LONG)
        for name in ("short", "long") if i % 2 == 0 else ("long", "short"):
            rate, sizes[name] = tokens_a_second(bench, session, model, name)
            rates[name].append(rate)
    session.close()
    short, long = spread(rates["short"]), spread(rates["long"])
    bench.findings.add("tokens a second in short rows over those in long rows", f"{model}, srm_score_table, 1 thread",
                       short[0] / long[0], "x", least=targets.wanted("packed"),
                       detail="{:.0f} ({:.0f}-{:.0f}) in rows of {:.0f} tokens over {:.0f} ({:.0f}-{:.0f}) in rows of "
                              "{:.0f}".format(*short, sizes["short"], *long, sizes["long"]))
    return rates


def packed(bench):
    """rows of 100 tokens of different prompts over as many tokens in rows of 512, by srm_score_table"""
    bench.model_path("table", "float32")
    bench.model_path("small", "float32")
    raw = {}
    for shape in ("table", "small"):
        raw[shape] = measure_packed(bench, shape, models.model_name(shape, "float32"))
    return raw
