"""Fuzz the reading of image files with Atheris, guided by the coverage of the package digits and of Pillow.

    python stress/fuzz.py --minutes 60                     into outputs/fuzz; a second run continues with what is there
    python stress/fuzz.py --minutes 5 --folder FOLDER      into another folder
    python stress/fuzz.py --try outputs/fuzz/findings/*    read only these files, and print the result of each

Atheris (pip install atheris; Linux on x86_64) mutates the files in FOLDER/corpus: at first custom_digits and small images in
all formats. It adds to the corpus each file that reaches code which no earlier file has reached. A finding is a file whose
reading does not end with a well-formed entry within 2 seconds and 1,000 MiB. The first finding at each place in the code is
kept in FOLDER/findings, with a description in a .txt beside it. The checksums of PNG chunks are not verified, because hardly any
changed file would pass them.

It prints a line a minute, writes benchmarks/results/fuzz.json, and ends with exit code 1 when it found something.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("Atheris is not installed.\nExpected it on Linux and x86_64: pip install atheris")

# Only the process that fuzzes is instrumented, before the first import of these packages.
instrumented = atheris.instrument_imports(include=["digits", "PIL", "pillow_heif"])
with instrumented if "--seconds" in sys.argv else contextlib.nullcontext():
    from bad_images import small_images
    from common import PROJECT_FOLDER, RESULTS, facts_with_model
    from PIL import Image, PngImagePlugin

    from digits.cli import command_line
    from digits.common import files
    from digits.common.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR
    from digits.data.labels import digits_of
    from digits.model.classifier import Classifier
    from digits.reading.reader import Reader

    Image.init()  # imports the formats

import cv2  # noqa: E402, after the instrumented packages

MAX_SECONDS, MAX_MIB = 2, 1000  # of processor time, and of memory, for one image: as in hostile_images.py
TIMEOUT = 60  # seconds after which Atheris ends the process that reads an image
MAX_PROCESS_MIB = 3000  # a process with more is replaced by a new one
MAX_INPUT_BYTES = 16_000  # larger files are cut: photographs would take most of the time, and most of their bytes are alike
KEYS = ["image", "status", "text", "message", "digits", "marks"]


def check(entry):
    """Raise AssertionError unless this is an entry as docs/json_and_http.md describes it."""
    assert list(entry) == KEYS and entry["status"] in ("ok", "unsure", "empty", "error"), "other keys or status"
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry, "not JSON"
    assert bool(entry["message"]) == (entry["status"] != "ok"), "message and status"
    assert bool(entry["digits"]) == (entry["status"] in ("ok", "unsure")), "digits and status"
    digits_in_text = digits_of(entry["text"]).replace("|", "")
    assert digits_in_text == "".join(str(digit["digit"]) for digit in entry["digits"]), "text and digits"
    marks_in_text = [character for character in entry["text"] if not character.isdigit() and character != "|"]
    assert sorted(marks_in_text) == sorted(mark["mark"] for mark in entry["marks"]), "text and marks"
    for item in (*entry["digits"], *entry["marks"]):
        x, y, width, height = item["box"]
        assert x >= 0 and y >= 0 and width > 0 and height > 0, f"box {item['box']}"
    for digit in entry["digits"]:
        assert 0 <= digit["confidence"] <= 1 and digit["top3"][0] == [digit["digit"], digit["confidence"]], "confidence"


def memory(kind):
    """Return this process's memory in MiB: "VmRSS", the present one, or "VmHWM", the highest so far."""
    return int(re.search(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def make_target(folder):
    """Return the function that Atheris calls with bytes."""
    reader = Reader()
    path = Path(f"/dev/shm/fuzz-{os.getpid()}.png")  # a file in memory, because predict_custom.py reads files
    runs = itertools.count(1)

    def target(content):
        path.write_bytes(content)
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        before, started = memory("VmHWM"), time.process_time()
        try:
            check(reader.read(path).to_json())
            seconds = time.process_time() - started  # other work on the machine does not count
            if seconds > MAX_SECONDS:
                keep(folder, content, "slow", f"{seconds:.1f} seconds")
            if memory("VmHWM") - before > MAX_MIB:
                keep(folder, content, "large", f"{memory('VmHWM') - before} MiB")
        except Exception as error:
            *_, last = traceback.extract_tb(error.__traceback__)
            keep(folder, content, f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}", traceback.format_exc())
        number = next(runs)
        if memory("VmRSS") > MAX_PROCESS_MIB:  # Atheris 3.0 never frees the results of array comparisons: some MB an image
            path.unlink()
            print(f"stat::number_of_executed_units: {number}", file=sys.stderr, flush=True)
            os._exit(0)  # watch starts a new process

    return target


def keep(folder, content, place, what):
    """Keep the input of a finding, if it is the first at its place in the code."""
    if not (folder / "findings" / f"{place}.txt").exists():
        (folder / "findings" / place).write_bytes(content)
        (folder / "findings" / f"{place}.txt").write_text(what)


def fuzz(folder, seconds):
    """Let Atheris fuzz for this time. It ends the process."""
    cv2.setNumThreads(1)
    PngImagePlugin.ChunkStream.crc = PngImagePlugin.ChunkStream.crc_skip
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={2 * MAX_PROCESS_MIB}",
        f"-max_len={MAX_INPUT_BYTES}",
        "-print_final_stats=1",
    ]
    flags += [f"-artifact_prefix={folder / 'findings'}/", "-reload=0", "-report_slow_units=999"]
    atheris.Setup(["fuzz", *flags, str(folder / "corpus")], make_target(folder))
    atheris.Fuzz()


def fill_corpus(folder):
    """Fill an empty corpus with the first images."""
    for name in ("corpus", "findings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not any((folder / "corpus").iterdir()):
        contents = [path.read_bytes() for path in sorted(CUSTOM_DIGITS_DIR.glob("*/*.*"))] + list(small_images().values())
        for content in contents:
            (folder / "corpus" / hashlib.sha1(content).hexdigest()).write_bytes(content)


def found(folder):
    """Return the names of the findings."""
    return sorted(path.name for path in (folder / "findings").iterdir() if path.suffix != ".txt")


def watch(folder, minutes):
    """Fuzz in a process, and in a new one when a finding or its memory ends it. Yield (seconds, runs, places reached)."""
    started, runs_before, places = time.monotonic(), 0, 0
    while (left := int(started + 60 * minutes - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--folder", folder, "--seconds", str(left)]
        runs = 0
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", cwd=PROJECT_FOLDER) as process:
            for line in process.stderr:
                if match := re.match(r"#(\d+)\s.*?cov: (\d+)", line):
                    runs, places = map(int, match.groups())
                elif match := re.match(r"stat::number_of_executed_units: (\d+)", line):
                    runs = int(match[1])
                elif "ERROR" in line or "Error" in line:
                    print(line.rstrip(), file=sys.stderr)
                yield time.monotonic() - started, runs_before + runs, places
        runs_before += runs
        if not runs:
            raise RuntimeError("Atheris ends at once: --seconds 60 shows what it prints")


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--minutes", type=command_line.positive_integer, default=60)
    parser.add_argument(
        "--folder", type=Path, default=OUTPUTS_DIR / "fuzz", help="for corpus and findings (default: outputs/fuzz)"
    )
    parser.add_argument("--try", dest="tried", nargs="+", type=Path, metavar="FILE", help="only read these files")
    parser.add_argument("--seconds", type=command_line.positive_integer, help="fuzz in this process; used by the command itself")
    parser.add_argument("--json", type=Path, default=RESULTS / "fuzz.json", metavar="FILE", help="where the numbers go")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Fill the corpus, fuzz, count, write."""
    arguments = parse(argv)
    folder = arguments.folder.resolve()
    if arguments.tried:
        reader = Reader()
        for path in arguments.tried:
            started = time.monotonic()
            entry = reader.read(path).to_json()
            print(f"{path.name}  {time.monotonic() - started:.2f} s  {entry['status']}  {entry['text'] or entry['message']}")
            check(entry)
        return command_line.DONE
    fill_corpus(folder)
    if arguments.seconds:
        fuzz(folder, arguments.seconds)

    minute, corpus = 0, folder / "corpus"
    for seconds, runs, places in watch(folder, arguments.minutes):
        if seconds >= 60 * (minute + 1):
            minute = int(seconds // 60)
            counts = (
                f"{places:,} places reached, {len(list(corpus.iterdir())):,} files in the corpus, {len(found(folder)):,} findings"
            )
            print(f"minute {minute}: {runs:,} runs, {runs / seconds:.0f} a second, {counts}", flush=True)
    findings = found(folder)
    counts = {
        "minutes": seconds / 60,
        "runs": runs,
        "places": places,
        "corpus": len(list(corpus.iterdir())),
        "findings": findings,
    }
    files.write_json(arguments.json, {**counts, **facts_with_model("fuzz", argv, Classifier(), "stress")})
    print(f"{runs:,} runs in {seconds / 60:.0f} minutes, findings: {', '.join(findings) or 'none'}")
    return command_line.SOME_FAILED if findings else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
