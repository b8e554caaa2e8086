"""Tokens in a second by length, one panel for each number of threads, as SVG.

Colours are of a precision; ours are thick, and a peer's line has the dashes of
its library.  The picture follows the reader's light or dark theme.
"""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 470, 400            # of a panel's plot
LEFT, TOP, RIGHT, BOTTOM = 60, 60, 110, 60
STYLE = """
.back { fill: #ffffff } .text { fill: #24292f } .soft { fill: #57606a } .grid { stroke: #d0d7de }
.c0 { stroke: #8250df } .c1 { stroke: #0969da } .c2 { stroke: #bc4c00 }
.f0 { fill: #8250df } .f1 { fill: #0969da } .f2 { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117 } .text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #30363d }
.c0 { stroke: #ab7df8 } .c1 { stroke: #4493f8 } .c2 { stroke: #f0883e }
.f0 { fill: #ab7df8 } .f1 { fill: #4493f8 } .f2 { fill: #f0883e }
}
text { font: 12px system-ui, sans-serif } .title { font-size: 14px; font-weight: 600 }
path { fill: none } .own { stroke-width: 3.2; stroke-linejoin: round } .peer { stroke-width: 1.4 }
"""
DASHES = {"srm": "", "torch": "7 3", "ort": "2 3", "ov": "4 2 1 2", "llama": "8 3 2 3"}
NAMES = {"srm": "srm", "torch": "PyTorch", "ort": "ONNX Runtime", "ov": "OpenVINO", "llama": "llama.cpp"}


def colour(name):
    kind = name.split("-")[1]
    return 0 if kind == "f32" else 1 if kind in ("bf16", "f16") else 2


def ticks(top):
    step = 10 ** math.floor(math.log10(top))
    while top / step < 4:
        step /= 2
    return [step * i for i in range(int(top / step) + 1)]


def spread_labels(labels, gap=14):
    """Moves labels (y, ...) apart, in order of their lines' ends."""
    labels = sorted(labels)
    placed = []
    for label in labels:
        y = label[0]
        if placed:
            y = max(y, placed[-1][0] + gap)
        placed.append((y, *label[1:]))
    excess = placed[-1][0] - HEIGHT if placed else 0
    if excess > 0:
        limit = HEIGHT
        for i in range(len(placed) - 1, -1, -1):
            y = min(placed[i][0], limit)
            placed[i] = (y, *placed[i][1:])
            limit = y - gap
    return placed


class Panel:
    def __init__(self, speeds, n_threads, left):
        self.speeds, self.n_threads, self.left = speeds, n_threads, left
        self.lengths = sorted({n for threads, n in speeds.keys() if threads == n_threads})
        self.top = 1.06 * max(speeds.median(name, n_threads, n) or 0
                              for name in speeds.names() for n in self.lengths)

    def x(self, n_tokens):
        first, last = math.log2(self.lengths[0]), math.log2(self.lengths[-1])
        share = (math.log2(n_tokens) - first) / (last - first) if last > first else 0.5
        return self.left + share * WIDTH

    def y(self, rate):
        return TOP + HEIGHT * (1 - rate / self.top)

    def axes(self):
        for rate in ticks(self.top):
            y = self.y(rate)
            yield f'<line class="grid" x1="{self.left}" x2="{self.left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="soft" x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end">{rate:.0f}</text>'
        for n in self.lengths:
            yield (f'<text class="soft" x="{self.x(n):.1f}" y="{TOP + HEIGHT + 20}" '
                   f'text-anchor="middle">{n}</text>')
        title = "1 thread" if self.n_threads == 1 else f"{self.n_threads} threads"
        yield f'<text class="text title" x="{self.left}" y="{TOP - 14}">{title}</text>'
        yield (f'<text class="soft" x="{self.left + WIDTH / 2}" y="{TOP + HEIGHT + 40}" '
               'text-anchor="middle">tokens of a conversation</text>')

    def line(self, name):
        points = [(self.x(n), self.y(rate)) for n in self.lengths
                  if (rate := self.speeds.median(name, self.n_threads, n))]
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        family = name.split("-")[0]
        dash = f' stroke-dasharray="{DASHES[family]}"' if DASHES[family] else ""
        return (f'<path class="c{colour(name)} {"own" if family == "srm" else "peer"}" d="{path}"{dash}/>',
                (points[-1][1] - TOP, name))

    def draw(self):
        yield from self.axes()
        labels = []
        for name in self.speeds.names():
            if any(self.speeds.median(name, self.n_threads, n) for n in self.lengths):
                line, label = self.line(name)
                labels.append(label)
                yield line
        for y, name in spread_labels(labels):
            family, kind = name.split("-", 1)
            weight = ' font-weight="700"' if family == "srm" else ""
            yield (f'<text class="f{colour(name)}" x="{self.left + WIDTH + 8}" y="{TOP + y + 4:.1f}"{weight}>'
                   f"{NAMES[family]} {kind.upper() if family == 'llama' else kind}</text>")


def draw(speeds, path, processor):
    threads = sorted({n for n, _ in speeds.keys()})
    step = LEFT + WIDTH + RIGHT + 20
    width, height = step * len(threads), TOP + HEIGHT + BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" role="img">',
             "<title>Tokens in a second by length of the conversation</title>",
             f"<style>{STYLE}</style>", f'<rect class="back" width="{width}" height="{height}"/>',
             f'<text class="soft" x="{LEFT}" y="22">Tokens in a second, one conversation at a time; '
             f"a decoder of 28 layers and 0.44 billion parameters; {escape(processor.split(';')[0])}</text>"]
    for i, n_threads in enumerate(threads):
        parts += Panel(speeds, n_threads, LEFT + i * step).draw()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts + ["</svg>"]) + "\n")
