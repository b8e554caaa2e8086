"""Results as Markdown, as JSON, and as a picture."""

import json
import os

import decisive
import engines
import picture
from findings import format_target, format_value, spread


def table(header, rows, right=()):
    marks = ["---:" if i in right else "---" for i in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, marks, *rows]) + "\n"


def findings_table(findings):
    rows = []
    for finding in findings:
        passed = {True: "yes", False: "**no**", None: ""}[finding["passed"]]
        rows.append([finding["row"], finding["where"], format_value(finding["value"], finding["unit"]),
                     format_target(finding), passed, finding["detail"]])
    return table(["row", "where", "measured", "wanted", "reached", "from"], rows, right=(2,))


def cell(values):
    if not values:
        return ""
    middle, least, most = spread(values)
    return f"{middle:.0f} ({least:.0f}-{most:.0f})" if len(values) > 1 else f"{middle:.0f}"


def speed_table(speeds, n_threads):
    lengths = sorted({n for threads, n in speeds.keys() if threads == n_threads})
    rows = []
    for group, names in engines.ENGINES.items():
        for name in [name for name in names if name in speeds.names()]:
            label = f"**{name}**" if name.startswith("srm-") else name
            rows.append([group, label] + [cell(speeds.rates(name, n_threads, n)) for n in lengths])
        kind = {"f32": "f32", "16 bit": "bf16", "8 bit": "int8"}[group]
        tops = [speeds.roofline(n_threads, n, kind) for n in lengths]
        if all(tops):
            computed = speeds.computed.get(f"srm-{kind}", kind)
            rows.append([group, f"*roofline, {computed}*"] + [f"*{top:.0f}*" for top in tops])
    return table(["precision", "engine"] + [f"{n} tokens" for n in lengths], rows,
                 right=range(2, 2 + len(lengths)))


def peak_line(speeds, n_threads):
    return ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in speeds.peak(n_threads).items())


def bindings_line(speeds, n_threads):
    found = sorted({(m["engine"], m["binding"]) for m in speeds.measurements
                    if m["threads"] == n_threads and m["binding"]})
    return ", ".join(f"{name} {binding}" for name, binding in found)


def speed_section(speeds, title):
    text = f"### {title}\n"
    for n_threads in sorted({threads for threads, _ in speeds.keys()}):
        loud = [m["foreign"] for m in speeds.measurements if m["threads"] == n_threads]
        text += (f"\n{n_threads} thread(s), tokens in a second: median (least-most)\n\n" +
                 speed_table(speeds, n_threads) +
                 f"\nPeaks of loops that touch registers only, 10^9 operations in a second: "
                 f"{peak_line(speeds, n_threads)}. Other processes used {max(loud):.2f} cores at most "
                 f"while something was measured, and {sum(loud) / len(loud):.3f} on average.")
        if n_threads > 1:
            text += f" Threads: {bindings_line(speeds, n_threads)}, the better of both."
        text += "\n"
    return text


def markdown(result, bench):
    text = (f"Measured {result['time']} in {result['minutes']:.0f} minutes on {result['machine']['processor']}, "
            f"{result['machine']['memory']} GB.\n\n```sh\n{result['command']}\n```\n\n" +
            ", ".join(f"{name} {version}" for name, version in result["versions"].items()) + ".\n\n" +
            f"### What decides\n\n{decisive.section(bench, table)}\n### All findings\n\n" +
            findings_table(result["findings"]) + "\n")
    for title, section in bench.sections:
        text += f"### {title}\n\n{section}\n"
    if bench.speeds is not None:
        text += speed_section(bench.speeds, "Tokens in a second, 0.44 B model") + "\n"
    if bench.large_speeds is not None:
        text += speed_section(bench.large_speeds, "Tokens in a second, two layers of a 7 B model") + "\n"
    if result["notes"]:
        text += "Notes\n\n" + "".join(f"- {note}\n" for note in result["notes"]) + "\n"
    text += "Cores that other processes used while a row ran: " + ", ".join(
        f"{name} {value:.2f}" for name, value in result["foreign"].items()) + ".\n"
    return text


def write(result, bench, arguments):
    os.makedirs(arguments.results, exist_ok=True)
    path = os.path.join(arguments.results, "bench-" + result["time"].replace(" ", "-").replace(":", ""))
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    text = markdown(result, bench)
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(text)
    if bench.speeds is not None:
        picture.draw(bench.speeds, arguments.picture or path + ".svg", result["machine"]["processor"])
    print("\n" + text + f"\nwritten to {path}.md and .json")
