"""What run.py can be told."""

import argparse
import os
import sys

import decisive
import engines
import rows_speed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def split(convert):
    return lambda text: [convert(part) for part in text.split(",")]


def parse_arguments(rows):
    parser = argparse.ArgumentParser(
        description="Measures the extension through SQL, beside other engines.",
        epilog="rows:\n" + "\n".join(f"  {name:12} {row.__doc__}" for name, row in rows.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=split(str), default=list(rows), metavar="ROW[,ROW]")
    parser.add_argument("--quick", action="store_true", help="128 and 512 tokens only in row speed")
    parser.add_argument("--lengths", type=split(int), default=[64, 128, 256, 512, 1024, 2048], metavar="N[,N]")
    parser.add_argument("--threads", type=split(int), default=[1, 2], metavar="N[,N]")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--decisive", action="store_true",
                        help="what fills the table of README.md: " +
                        ", ".join(f"{name} {value}" for name, value in decisive.PRESET.items()))
    parser.add_argument("--budget", type=float, default=0, metavar="MINUTES",
                        help="afterwards no row and no second round is begun")
    parser.add_argument("--engines", type=split(str), metavar="PATTERN[,PATTERN]",
                        default=[name for group in engines.ENGINES.values() for name in group
                                 if name not in engines.SLOWER],
                        help="such as srm-*,torch-bf16; '*' for all that are known")
    parser.add_argument("--data", nargs="+", metavar="FILE",
                        default=[os.path.join(ROOT, "test/data/demo/pairs.jsonl")],
                        help="pairs as JSON lines with prompt (or messages, of which those with one are taken), "
                        "chosen, rejected; may be .gz")
    parser.add_argument("--real", metavar="DIR", help="a reward model with real weights for row real, not quantized "
                        "and not an adapter; without it the one that is installed")
    parser.add_argument("--pairs", type=int, default=1000, help="real pairs at most in row real (%(default)s)")
    parser.add_argument("--table-model", metavar="DIR", help="the model of rows table and packed; without it the "
                        "one that is installed")
    parser.add_argument("--rows", type=int, default=2000, help="rows in row table (%(default)s)")
    parser.add_argument("--table-rounds", type=int, default=2, help="rounds of row table (%(default)s)")
    parser.add_argument("--clients", type=split(int), default=[1, 4, 16], metavar="N[,N]")
    parser.add_argument("--long", type=split(int), default=[4096, 8192, 16384], metavar="N[,N]",
                        help="tokens in row long, at most 32768")
    parser.add_argument("--llama", metavar="PATH", help="llama.cpp: a checkout that is built, or its llama-bench")
    parser.add_argument("--work", default="/tmp/srm-bench", help="folder for models, about 18 GB (%(default)s)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where the C programs are")
    parser.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    parser.add_argument("--results", default=os.path.join(ROOT, "results"))
    parser.add_argument("--picture", help="draws tokens in a second as SVG")
    parser.add_argument("--quiet", type=float, default=0.15, metavar="CORES",
                        help="a pass is measured again when others used more (%(default)s)")
    parser.add_argument("--attempts", type=int, default=3)
    if "--decisive" in sys.argv:
        parser.set_defaults(**decisive.PRESET)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in rows]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    if arguments.quick:
        arguments.lengths = list(rows_speed.KEY_LENGTHS)
    return arguments
