"""The table that decides: what is wanted of each kind of processor, and what was measured here."""

import machine
import rows_real
import rows_speed
import targets
from engines import ENGINES

# Options of a run that fills it in half an hour or so on two cores
PRESET = {"only": ["real", "speed", "memory", "table", "packed"], "lengths": list(rows_speed.KEY_LENGTHS), "repetitions": 3, "pairs": 60,
          "rows": 500, "table_rounds": 1}
SAME_AGREEMENT = "{} over the best peer with 8 bits of the same or better agreement"

# (what it is called, key of its target, the row of findings, how their "where" begins)
CELLS = [
    ("f32 over the best f32 peer", "f32", rows_speed.OVER_F32, ""),
    ("16-bit weights over the best peer on the same weights in 16 or 32 bits", "16 bit", rows_speed.OVER_16, ""),
    ("int8 over the best 8-bit peer of the same or better agreement with f32 on real weights", "8 bit",
     SAME_AGREEMENT.format("int8"), ""),
    ("w8 (weights alone in 8 bits) over the same", "8 bit", SAME_AGREEMENT.format("w8"), ""),
    ("share of the roofline, f32", "roofline", rows_speed.SHARE, "f32"),
    ("memory of eight sessions over the weights as published", "memory", "memory of 8 backends over the weights' bytes", ""),
    ("table to table over the best service", "table", "table to table over the best service", "f32"),
    ("packed short rows over the same tokens in long rows", "packed",
     "tokens a second in short rows over those in long rows", ""),
]


def add_ratio_of_same_agreement(bench, own, key):
    """Ours with 8 bits over the fastest peer that is as exact on real weights."""
    kind, speeds = own.split("-")[1], bench.speeds
    peers = [name for name in ENGINES["8 bit"] if not name.startswith("srm-") and name in bench.agreement
             and rows_real.as_good(bench.agreement[name], bench.agreement[own])]
    if speeds.best(peers, *key) is None:
        bench.note(f"{kind} is compared with no peer of 8 bits: none of those that ran agrees as well with f32")
        return
    rows_speed.add_ratio(bench, speeds, SAME_AGREEMENT.format(kind), own, peers, key, targets.wanted("8 bit"))


def add_ratios_of_same_agreement(bench):
    """Once rows real and speed have run."""
    if bench.speeds is None:
        return
    for own in ("srm-int8", "srm-w8"):
        for key in bench.speeds.keys():
            if own in bench.agreement and key[1] in rows_speed.KEY_LENGTHS and bench.speeds.median(own, *key):
                add_ratio_of_same_agreement(bench, own, key)


def wanted(processor, key):
    value = targets.BY_PROCESSOR[processor][key]
    if key == "roofline":
        return " / ".join(f"{100 * share:.0f} %" for share in value["srm-f32"].values())
    return f"{value:.2f}"


def measured(finding):
    value = f"{100 * finding['value']:.1f} %" if finding["unit"] == "%" else f"{finding['value']:.2f}"
    return f"**{value}**" if finding["passed"] is False else value


def rows(found):
    for title, key, row, only in CELLS:
        cells = [finding for finding in found if finding["row"] == row and finding["where"].startswith(only)]
        text = "; ".join(f"{measured(finding)} ({finding['where']})" for finding in cells)
        yield [title, wanted("AVX2", key), wanted("AVX-512", key), text or "not measured"]


def section(bench, table):
    """Markdown; table is report.table."""
    here = targets.NAMES.get(machine.reference(), "another kind, of which nothing is wanted")
    return (f"The processor at hand is {here}; what falls short is bold.\n\n" +
            table(["row", *targets.NAMES.values(), "measured here"], list(rows(bench.findings.rows))))
