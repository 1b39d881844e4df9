"""Read a folder of bad pictures with predict_custom.py: truncated, flipped, bombs, odd names, no files at all, very large ones.

    python benchmarks/hostile_pictures.py                  about ten minutes on two cores; Linux alone, for its /proc
    python benchmarks/hostile_pictures.py --folder FOLDER  keep the pictures there (2 GB), and take them from there again

bad_pictures.py makes them: every format that Pillow opens and writes here, whole, cut off at twenty points and with bits
flipped; files that want much time or memory; odd names; pipes, devices, links that loop; pictures of 12, 50 and 100 million
pixels. The folder is read twice: on all cores, while the memory of each process is looked at, and on one, where the lines
come picture by picture and so tell how long each took, in seconds of the processor. Claims that must hold:

no traceback; exit code 1; every picture once in the JSON and on one line, with the same answer in both runs; at most 2
seconds a picture of up to 12 megapixels and 10 of 50; over 100 megapixels refused from the header; at most 1,000 MiB a process.

It writes benchmarks/results/hostile_pictures.json, exits with code 1 where a claim fails, and prints:

    claim                                   found      holds
    ends, without a traceback               0          yes
    exit codes                              1 and 1    yes
    pictures                                4,818      yes
    each once in the JSON; not so           0          yes
    the same answer from several processes  True       yes
    slower than they may be                 0          yes
    over 100 megapixels, but not refused    0          yes
    MiB in a process                        922        yes
    the slowest                  seconds
    100 MP I;16 PNG.png             4.55
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from record import PROJECT_FOLDER, RESULTS, facts  # first of ours: it puts the project on the path

from bad_pictures import make
from digits import command_line, files

MOST_SECONDS = {12: 2.0, 50: 10.0}  # by megapixels; no more are promised for larger ones
REFUSED_SECONDS = 0.5  # from the header
MOST_MIB = 1000  # a process
HANGS = 1800  # seconds without a line
SLOWEST = 10  # that are named


def processes_of(process):
    """Return the folders in /proc of a process and of those that it started."""
    try:
        children = [
            child for task in Path(f"/proc/{process}/task").iterdir() for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []  # it has ended
    return [Path(f"/proc/{process}"), *(folder for child in children for folder in processes_of(child))]


def kilobytes(path, field):
    """Return a field of a file in /proc, 0 when the process has ended."""
    try:
        return int(re.search(rf"^{field}:\s+(\d+) kB", path.read_text(), re.MULTILINE)[1])
    except (OSError, TypeError):
        return 0


def watch(process, seen):
    """Note in seen the most memory of a process and of all together, in MiB, and end the program where it hangs."""
    while process.poll() is None:
        folders = processes_of(process.pid)
        seen["process_MiB"] = max(seen["process_MiB"], *(kilobytes(folder / "status", "VmHWM") / 1024 for folder in folders), 0)
        together = sum(kilobytes(folder / "smaps_rollup", "Pss") for folder in folders) / 1024
        seen["together_MiB"] = max(seen["together_MiB"], together)
        if time.monotonic() - seen["latest"] > HANGS:
            seen["hung"] = True
            process.terminate()
        time.sleep(0.05)


def read(folder, answers, cores):
    """Run predict_custom.py on the folder and on so many cores. Return (entries, seconds for each line, what was seen).

    Seconds are of the processor, so that a busy machine counts for nothing; they tell of each picture on one core alone.
    """
    usable = sorted(os.sched_getaffinity(0))[-cores:]
    seen = {"process_MiB": 0, "together_MiB": 0, "latest": time.monotonic(), "hung": False}
    command = [sys.executable, PROJECT_FOLDER / "predict_custom.py", folder, "--json", answers]
    with open(f"{answers}.errors", "w+", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: os.sched_setaffinity(0, usable),
        )  # fmt: skip
        watcher = threading.Thread(target=watch, args=(process, seen))
        watcher.start()
        moments = []
        for _ in process.stdout:
            seen["latest"] = time.monotonic()
            try:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                moments.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
            except OSError:  # it has ended
                moments.append(moments[-1])
        watcher.join()
        errors.seek(0)
        seen.update(code=process.returncode, traceback="Traceback" in errors.read())
    entries = json.loads(answers.read_bytes()) if answers.exists() else []
    return entries, np.diff(moments), seen


def limit(name):
    """Return the seconds that a picture may take."""
    megapixels = int(match[1]) if (match := re.match(r"(\d+) MP ", name)) else 12
    return REFUSED_SECONDS if name.startswith("over") else MOST_SECONDS.get(megapixels, np.inf)


def check(folder, scratch):
    """Read the folder twice. Return (claims: {claim: (what was found, whether it holds)}, facts for the JSON)."""
    several, _, seen = read(folder, scratch / "several.json", cores=0)
    entries, seconds, alone = read(folder, scratch / "alone.json", cores=1)
    expected = sorted(os.fsdecode(path) for path in folder.iterdir() if not path.is_dir())
    names = [os.path.basename(entry["image"]) for entry in entries]
    slowest = sorted(zip(seconds.tolist(), names), reverse=True)
    late = [name for taken, name in slowest if taken > limit(name)]
    missing = set(expected) ^ {entry["image"] for entry in several} | set(expected) ^ {entry["image"] for entry in entries}
    refused = [
        entry["image"] for entry in entries if os.path.basename(entry["image"]).startswith("over") and entry["status"] != "error"
    ]
    codes = (seen["code"], alone["code"])
    most, together = (max(seen[key], alone[key]) for key in ("process_MiB", "together_MiB"))
    counts = {status: sum(entry["status"] == status for entry in entries) for status in ("ok", "unsure", "empty", "error")}
    claims = {
        "ends, without a traceback": (
            str(seen["hung"] + alone["hung"]),
            not any(run["hung"] or run["traceback"] for run in (seen, alone)),
        ),
        "exit codes": (f"{codes[0]} and {codes[1]}", codes == (command_line.SOME_FAILED, command_line.SOME_FAILED)),
        "pictures": (f"{len(expected):,}", len(several) == len(entries) == len(seconds) == len(expected)),
        "each once in the JSON; not so": (f"{len(missing):,}", not missing),
        "the same answer from several processes": (str(several == entries), several == entries),
        "slower than they may be": (f"{len(late):,}", not late),
        "over 100 megapixels, but not refused": (f"{len(refused):,}", not refused),
        "MiB in a process": (f"{most:,.0f}", most <= MOST_MIB),
    }
    numbers = {
        "pictures": len(expected),
        "statuses": counts,
        "process_MiB": round(most),
        "together_MiB": round(together),
        "late": late,
    }
    return claims, {**numbers, "slowest": [[name, round(taken, 2)] for taken, name in slowest[:SLOWEST]]}


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--folder", type=Path, help="for the pictures; taken as they are where there are some (default: a temporary folder)"
    )
    parser.add_argument(
        "--json", type=Path, default=RESULTS / "hostile_pictures.json", metavar="FILE", help="where the numbers go"
    )
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Make, read, check, print, write."""
    arguments = parse(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.folder or Path(scratch) / "pictures").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            print(f"making the pictures in {folder} ...", file=sys.stderr)
            make(folder)
        claims, numbers = check(folder, Path(scratch))
    rows = [(claim, found, "yes" if holds else "NO") for claim, (found, holds) in claims.items()]
    command_line.print_table([("claim", "found", "holds"), *rows])
    rows = [(command_line.printable(name), f"{taken:.2f}") for name, taken in numbers["slowest"]]
    command_line.print_table([("the slowest", "seconds"), *rows])
    for name in numbers["late"]:
        print(f"too slow: {command_line.printable(name)}")
    holds = {claim: holds for claim, (_, holds) in claims.items()}
    files.write_json(arguments.json, {"claims": holds, **numbers, **facts("hostile_pictures", argv)})
    return command_line.DONE if all(holds.values()) else command_line.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
