"""The machine: what it is, what the others on it do, and what it can do at most."""

import os
import platform
import re
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """Processor time that all processes used since the start of the machine."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def process_seconds(pid):
    """Processor time of a process and of its children that have ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def descendants(root):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def family_seconds(root):
    """Of a process and all that it started."""
    return sum(map(process_seconds, descendants(root)))


class Watch:
    """How many cores others kept busy on average, while the bench measured something.

    own: a function that gives the processor time that the bench itself used.
    """

    def __init__(self, own):
        self.own = own

    def __enter__(self):
        self.started, self.busy, self.mine = time.monotonic(), busy_seconds(), self.own()
        return self

    def __exit__(self, *error):
        elapsed = max(time.monotonic() - self.started, 1e-3)
        foreign = (busy_seconds() - self.busy) - (self.own() - self.mine)
        self.foreign = max(foreign, 0.0) / elapsed


def measure_peaks(program, n_threads, milliseconds=100):
    """Operations in a second by kind, of loops that touch registers only."""
    out = subprocess.run([program, str(n_threads), str(milliseconds)], check=True,
                         capture_output=True, text=True).stdout
    return {kind: float(rate) for kind, rate in (line.split() for line in out.splitlines())}


def best_peaks(loops):
    """By kind of product, the fastest of its loops: "int8-avx2" is one of int8."""
    peaks = {}
    for name, rate in loops.items():
        kind = name.split("-")[0]
        peaks[kind] = max(rate, peaks.get(kind, 0.0))
    return peaks


def cpu_fields():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return dict(re.findall(r"^([\w ]+?)\s*: (.*)$", file.read(), re.MULTILINE))


def cpu_flags():
    return set(cpu_fields().get("flags", "").split())


def reference():
    """The kind of processor that targets are for, or None: nothing is wanted of others."""
    flags = cpu_flags()
    if {"avx512_bf16", "avx512_vnni"} <= flags:
        return "AVX-512"
    if "avx2" in flags and not flags & {"avx512f", "avx_vnni"}:
        return "AVX2"
    return None


def processor():
    fields, known = cpu_fields(), cpu_flags()
    flags = [flag for flag in ("avx2", "avx_vnni", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile")
             if flag in known]
    return (f"{fields.get('model name', platform.machine())}, family {fields.get('cpu family')}, "
            f"model {fields.get('model')}, {os.cpu_count()} processors; {' '.join(flags)}")


def memory_gb():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def versions():
    """Of everything that is compared."""
    from importlib import metadata

    found = {"kernel": platform.release(), "compiler": first_line("gcc", "--version"),
             "python": platform.python_version()}
    for package in ("torch", "transformers", "onnxruntime", "openvino", "tokenizers", "numpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def pss_bytes(pid):
    """Memory of a process, with what it shares divided by the number of those who share it.

    In all, and of that: of its own, of files, of shared memory.
    """
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", file.read(), re.MULTILINE))
    return [1024 * int(fields[name]) for name in ("Pss", "Pss_Anon", "Pss_File", "Pss_Shmem")]
