"""What rows find: a value, what it should be at least or at most, and where it was measured."""

import statistics


def spread(values):
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


class Findings:
    def __init__(self):
        self.rows = []

    def add(self, row, where, value, unit="", least=None, most=None, detail="", counts=True):
        """counts: False where the value is noise, which reaches and misses nothing."""
        passed = None
        if least is not None:
            passed = value >= least
        if most is not None:
            passed = value <= most
        passed = passed if counts else None
        self.rows.append({"row": row, "where": where, "value": value, "unit": unit, "least": least,
                          "most": most, "passed": passed, "detail": detail})
        print(format_finding(self.rows[-1]), flush=True)


def format_number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.01:
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{value:.2g}"


def format_value(value, unit):
    if unit == "%":
        return f"{100 * value:.3g} %"
    if unit == "x":
        return f"{value:.2f} x" if value >= 1.1 or value < 0.9 else f"{value:.3f} x"
    if unit == "correlation":
        return f"{value:.6f}"
    return f"{format_number(value)} {unit}".rstrip()


def format_target(finding):
    if finding["least"] is not None:
        return "at least " + format_value(finding["least"], finding["unit"])
    if finding["most"] is not None:
        return "at most " + format_value(finding["most"], finding["unit"])
    return ""


def format_finding(finding):
    passed = {True: "ok", False: "SHORT", None: "-"}[finding["passed"]]
    text = f"[{passed}] {finding['row']}, {finding['where']}: {format_value(finding['value'], finding['unit'])}"
    target = format_target(finding)
    return text + (f" ({target})" if target else "") + (f"; {finding['detail']}" if finding["detail"] else "")
