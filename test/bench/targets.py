"""What is wanted, by the kind of processor: least ratios, and shares of the roofline by threads."""

import machine

BY_PROCESSOR = {
    "AVX2": {"f32": 1.05, "16 bit": 1.05, "8 bit": 1.15, "memory": 1.35, "table": 1.5, "packed": 0.95,
             "roofline": {"srm-f32": {1: 0.87, 2: 0.83}}},
    "AVX-512": {"f32": 1.15, "16 bit": 1.40, "8 bit": 1.30, "memory": 1.30, "table": 1.5, "packed": 0.95,
                "roofline": {"srm-f32": {1: 0.89, 2: 0.86}, "srm-bf16": {1: 0.88, 2: 0.82},
                             "srm-int8": {1: 0.78, 2: 0.68}}},
}
NAMES = {"AVX2": "AVX2 (Zen 2/3)", "AVX-512": "AVX-512 BF16/VNNI (Zen 4/5)"}


def wanted(what):
    """Of the processor at hand; None where nothing is wanted."""
    return BY_PROCESSOR.get(machine.reference(), {}).get(what)
