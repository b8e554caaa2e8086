"""Calls that share work, against calls that do not."""

import statistics
import subprocess

import models
from findings import spread


def alternate(bench, repetitions, *calls):
    """Seconds of each call, in turns; what is measured first changes from turn to turn."""
    seconds = [[] for _ in calls]
    for call in calls:
        call()                      # warms up
    for i in range(repetitions):
        order = range(len(calls)) if i % 2 == 0 else reversed(range(len(calls)))
        for which in order:
            seconds[which].append(calls[which]())
    return seconds


def add_ratio(bench, row, where, seconds, most):
    """Of the first call's time over the second's."""
    first, second = map(statistics.median, seconds[:2])
    detail = " over ".join("{:.4g} ({:.4g}-{:.4g}) s".format(*spread(values)) for values in seconds[:2])
    bench.findings.add(row, where, first / second, "x", most=most, detail=detail)
    return {"where": where, "seconds": seconds}


class Caller:
    """Calls of one session with fresh texts."""

    def __init__(self, bench):
        self.texts = bench.texts("small")
        self.session = bench.session(models.model_name("small", "bfloat16"), 1, "bf16")
        self.literal, self.array = bench.literal, bench.array

    def prompt(self, n_tokens):
        """The template adds a token."""
        return self.texts.text(n_tokens - 1)

    response = prompt

    def pair(self, n_tokens, n_alike):
        """Two responses, of which so many tokens at the beginning are the same."""
        beginning = self.texts.text(n_alike) if n_alike > 0 else ""
        return [beginning + self.texts.text(n_tokens - n_alike - 1) for _ in range(2)]

    def score(self, prompt, response):
        return self.session.seconds(f"bench_score({self.literal(prompt)}, {self.literal(response)})")

    def score_each(self, prompts, responses):
        return self.session.seconds(f"bench_score_each({self.array(prompts)}, {self.array(responses)})")

    def scores(self, prompt, responses):
        return self.session.seconds(f"bench_scores({self.literal(prompt)}, {self.array(responses)})")

    def margin(self, prompt, chosen, rejected):
        return self.session.seconds(f"bench_margin({', '.join(map(self.literal, (prompt, chosen, rejected)))})")

    def sentences(self, prompt, response):
        return self.session.seconds(f"bench_sentences({self.literal(prompt)}, {self.literal(response)})")


def sentences(bench):
    """srm_sentence_rewards over srm_score, a response of 40 sentences"""
    caller = Caller(bench)

    def texts():
        return caller.prompt(32), caller.texts.text(40 * 12, sentence=12)

    prompt, response = texts()
    n = int(caller.session.value(f"SELECT count(*) FROM srm_segment({bench.literal(response)})"))
    assert n == 40, f"{n} sentences where 40 were meant"
    seconds = alternate(bench, 2 * bench.repetitions + 1, lambda: caller.sentences(*texts()),
                        lambda: caller.score(*texts()))
    caller.session.close()
    return add_ratio(bench, "srm_sentence_rewards over srm_score", "40 sentences, 513 tokens", seconds, 1.02)


def margin(bench):
    """srm_margin over two scores with nothing shared, for prompts as long as each response and longer ones"""
    caller = Caller(bench)
    raw = []
    for n_prompt, n, n_alike in ((16, 16, 0), (32, 32, 0), (64, 64, 0), (128, 128, 0), (256, 256, 0),
                                 (64, 64, 32), (128, 128, 64), (256, 256, 128), (16, 128, 64), (512, 128, 64)):
        beginning = f", {n_alike} of them the same" if n_alike > 0 else ""
        seconds = alternate(
            bench, bench.repetitions,
            lambda: caller.margin(caller.prompt(n_prompt), *caller.pair(n, n_alike)),
            lambda: caller.score_each([caller.prompt(n_prompt), caller.prompt(n_prompt)],
                                      [caller.response(n), caller.response(n)]))
        # What is computed by count of tokens, and a hundredth for what is not
        share = (n_prompt + 2 * n - n_alike) / (2 * (n_prompt + n))
        raw.append(add_ratio(bench, "srm_margin over two scores with nothing shared",
                             f"prompt of {n_prompt}, responses of {n} tokens{beginning}", seconds, share + 0.01))
    caller.session.close()
    return raw


def best_of_8(bench):
    """srm_scores over eight scores with nothing shared, 512-token prompt, 128-token responses"""
    caller = Caller(bench)
    seconds = alternate(
        bench, bench.repetitions,
        lambda: caller.scores(caller.prompt(512), [caller.response(128) for _ in range(8)]),
        lambda: caller.score_each([caller.prompt(512) for _ in range(8)],
                                  [caller.response(128) for _ in range(8)]))
    caller.session.close()
    return add_ratio(bench, "best of 8 by srm_scores over eight scores", "prompt of 512, responses of 128 tokens",
                     seconds, 0.35)


def short_responses(bench):
    """srm_scores of 32 responses of 16 tokens over 32 scores"""
    caller = Caller(bench)

    def responses():
        return [caller.response(16) for _ in range(32)]

    shared = alternate(bench, bench.repetitions, lambda: caller.scores(caller.prompt(16), responses()),
                       lambda: caller.score_each([caller.prompt(16)] * 32, responses()),
                       lambda: caller.score_each([caller.prompt(16) for _ in range(32)], responses()))
    caller.session.close()
    row = "32 responses of 16 tokens by srm_scores over 32 scores"
    return [add_ratio(bench, row, "scores of the same prompt, one after the other", shared, 0.6),
            add_ratio(bench, row, "scores of 32 prompts", [shared[0], shared[2]], 0.6)]


class BareEngine:
    """The same library without a server."""

    def __init__(self, bench, n_threads):
        self.process = subprocess.Popen(
            [bench.program("bench_engine"), bench.model_path("small", "bfloat16"), str(n_threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=bench.log, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("bench_engine does not start")

    def score(self, prompt, response):
        self.process.stdin.write(f"{prompt}\t{response}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def sql_over_engine(bench):
    """a call in SQL over the engine in a C program, on the same text"""
    caller, bare = Caller(bench), BareEngine(bench, 1)
    raw = []
    for n in (128, 512):
        texts = [caller.texts.conversation(n) for _ in range(2 * bench.repetitions + 2)]
        # Both score the same texts
        ours, theirs = iter(texts), iter(texts)
        seconds = alternate(bench, 2 * bench.repetitions + 1, lambda: caller.score(*next(ours)),
                            lambda: bare.score(*next(theirs)))
        raw.append(add_ratio(bench, "SQL call over the bare engine", f"{n} tokens", seconds, 1.01))
    bare.close()
    caller.session.close()
    return raw
