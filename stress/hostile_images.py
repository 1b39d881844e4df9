"""Read a folder of bad images with predict_custom.py: truncated, flipped bits, decompression bombs, odd names, very large ones.

    python stress/hostile_images.py                  about ten minutes on two cores; Linux only, because it reads /proc
    python stress/hostile_images.py --folder FOLDER  keep the images there (2 GB); a folder that has images is used as it is

bad_images.py makes them: every format that Pillow can open and write here, whole, truncated at 20 lengths and with flipped
bits; files that would take much time or memory, PDF files among them; odd names; pipes, devices, links in a circle; images of 12,
50 and 100 megapixels. The folder is read twice: once on all cores, while the memory of each process is measured, and once on one
core, where the lines come image by image and so tell the processor time of each. These claims must hold:

no traceback; exit code 1; every image once in the JSON and on one line, with the same answer in both runs; at most 2
seconds for an image of up to 12 megapixels, 10 for one of 50, and 11 for a page of a PDF file; an image of more than 100
megapixels is refused by its header alone; at most 1,000 MiB in a process.

It prints a table, writes benchmarks/results/hostile_pictures.json, and ends with exit code 1 where a claim fails.
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
from bad_images import make
from common import PROJECT_FOLDER, RESULTS, facts_with_model

from digits.cli import command_line
from digits.common import files, formatting
from digits.model.classifier import Classifier
from digits.reading import pdf_process
from digits.reading.page_images import page_names

# What the program promises; benchmarks/results/hostile_pictures.json says what was measured.
MAX_SECONDS = {12: 2.0, 50: 10.0}  # of processor time, by megapixels; nothing is promised for larger images
MAX_PDF_SECONDS = 1.0 + pdf_process.MAX_SECONDS  # of processor time, for a page: of the process that draws it, and for the rest
MAX_REFUSAL_SECONDS = 0.5  # of processor time; the header alone is read
MAX_MIB = 1000  # in one process
MAX_SILENT_SECONDS = 1800  # without a printed line; the program has stopped then, because no image may take so long
SLOWEST_SHOWN = 10  # images that are named


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
    """Note in seen the peak memory of a process and of all processes together, in MiB. End the program where it hangs."""
    while process.poll() is None:
        folders = processes_of(process.pid)
        seen["process_MiB"] = max(seen["process_MiB"], *(kilobytes(folder / "status", "VmHWM") / 1024 for folder in folders), 0)
        together = sum(kilobytes(folder / "smaps_rollup", "Pss") for folder in folders) / 1024
        seen["together_MiB"] = max(seen["together_MiB"], together)
        if time.monotonic() - seen["latest"] > MAX_SILENT_SECONDS:
            seen["hung"] = True
            process.terminate()
        time.sleep(0.05)


def read(folder, answers, cores):
    """Run predict_custom.py on the folder. cores: how many it may use, 0 for all of them.

    Returns (entries of the JSON, seconds for each printed line, what was seen). The seconds are processor time, so that other
    work on the machine does not count. They belong to single images only where one core is used.
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
        for line in process.stdout:
            seen["latest"] = time.monotonic()
            if re.match(rb"(model|\w+ reader): ", line):  # it stands before the images' lines, whose time begins after it
                moments.clear()
            try:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                own_and_childrens = sum(map(int, fields[11:15]))  # in user code and in the system; of children that have ended
                moments.append(own_and_childrens / os.sysconf("SC_CLK_TCK"))
            except OSError:  # it has ended
                moments.append(moments[-1])
        watcher.join()
        errors.seek(0)
        seen.update(code=process.returncode, traceback="Traceback" in errors.read())
    entries = json.loads(answers.read_bytes()) if answers.exists() else []
    return entries, np.diff(moments[:-1]), seen  # the last line names the JSON


def limit(name):
    """Return the seconds that an image may take, by its file's name."""
    megapixels = int(match[1]) if (match := re.match(r"(\d+) MP ", name)) else 12
    if name.startswith("over"):
        return MAX_REFUSAL_SECONDS
    return MAX_PDF_SECONDS if ".pdf" in name else MAX_SECONDS.get(megapixels, np.inf)


def check(folder, scratch):
    """Read the folder twice. Return (claims: {claim: (what was found, whether it holds)}, numbers for the JSON)."""
    several, _, seen = read(folder, scratch / "several.json", cores=0)
    entries, seconds, alone = read(folder, scratch / "alone.json", cores=1)
    expected = page_names(sorted(os.fsdecode(path) for path in folder.iterdir() if not path.is_dir()))
    names = [os.path.basename(entry["image"]) for entry in entries]
    slowest = sorted(zip(seconds.tolist(), names, strict=False), reverse=True)
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
        "images": (f"{len(expected):,}", len(several) == len(entries) == len(seconds) == len(expected)),
        "not exactly once in the JSON": (f"{len(missing):,}", not missing),
        "the same answers in both runs": (str(several == entries), several == entries),
        "slower than the limit": (f"{len(late):,}", not late),
        "over 100 megapixels, but not refused": (f"{len(refused):,}", not refused),
        "MiB in a process": (f"{most:,.0f}", most <= MAX_MIB),
    }
    numbers = {
        "pictures": len(expected),
        "statuses": counts,
        "process_MiB": round(most),
        "together_MiB": round(together),
        "late": late,
    }
    return claims, {**numbers, "slowest": [[name, round(taken, 2)] for taken, name in slowest[:SLOWEST_SHOWN]]}


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--folder", type=Path, help="for the images; one that has images is used as it is (default: a temporary folder)"
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
        folder = (arguments.folder or Path(scratch) / "images").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            print(f"making the images in {folder} ...", file=sys.stderr)
            make(folder)
        claims, numbers = check(folder, Path(scratch))
    rows = [(claim, found, "yes" if holds else "NO") for claim, (found, holds) in claims.items()]
    command_line.print_table([("claim", "found", "holds"), *rows])
    rows = [(formatting.printable(name), f"{taken:.2f}") for name, taken in numbers["slowest"]]
    command_line.print_table([("the slowest", "seconds"), *rows])
    for name in numbers["late"]:
        print(f"too slow: {formatting.printable(name)}")
    holds = {claim: holds for claim, (_, holds) in claims.items()}
    files.write_json(
        arguments.json, {"claims": holds, **numbers, **facts_with_model("hostile_images", argv, Classifier(), "stress")}
    )
    return command_line.DONE if all(holds.values()) else command_line.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
