"""Fuzz the way from a file's bytes to its entry in the JSON, guided by coverage of the package digits and of Pillow.

    python benchmarks/fuzz.py --minutes 60                     into outputs/fuzz; again, and it goes on from there
    python benchmarks/fuzz.py --minutes 5 --folder FOLDER      into another folder
    python benchmarks/fuzz.py --try outputs/fuzz/findings/*    only these files, each with what comes of it

Atheris (pip install atheris; Linux on x86_64) mutates what lies in FOLDER/corpus, at first custom_digits and small pictures
in all formats, and keeps there what reaches code that nothing reached before. Whatever does not end in a well-formed entry
within 2 seconds and 1,000 MiB is a finding: its bytes are kept in FOLDER/findings, one for each place in the code, with what
happened in a .txt beside it. Sums of PNG's chunks are not checked, else hardly any change would come past them.

It prints a line a minute, writes benchmarks/results/fuzz.json, and exits with code 1 when it found something. Beside other
work, to which it gave way:

    minute 47: 29,609 runs, 10 a second, 1,808 places reached, 939 files in the corpus, 1 findings
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

# Only the process that fuzzes is instrumented, and before anything imports them.
instrumented = atheris.instrument_imports(include=["digits", "PIL", "pillow_heif"])
with instrumented if "--seconds" in sys.argv else contextlib.nullcontext():
    from record import PROJECT_FOLDER, RESULTS, facts

    from bad_pictures import small_pictures
    from digits import command_line, files
    from digits.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR
    from digits.recognizer import Recognizer
    from PIL import Image, PngImagePlugin

    Image.init()  # imports the formats

import cv2

MOST_SECONDS, HANGS = 2, 60  # a picture, the first of the processor; the second ends the process that reads it
MOST_MIB, TOO_MUCH = 1000, 3000  # for a picture; for the process, which is replaced then
LARGEST = 16_000  # bytes of an input, larger ones are cut: photographs take most of the time, and their bytes are alike
KEYS = ["image", "status", "text", "message", "digits"]


def check(entry):
    """Raise AssertionError unless this is an entry as the README and its readers expect it."""
    assert list(entry) == KEYS and entry["status"] in ("ok", "unsure", "empty", "error"), "other keys or status"
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry, "no JSON"
    assert bool(entry["message"]) == (entry["status"] != "ok"), "message and status"
    assert bool(entry["digits"]) == (entry["status"] in ("ok", "unsure")), "digits and status"
    assert entry["text"].replace("|", "") == "".join(str(digit["digit"]) for digit in entry["digits"]), "text and digits"
    for digit in entry["digits"]:
        x, y, width, height = digit["box"]
        assert x >= 0 and y >= 0 and width > 0 and height > 0, f"box {digit['box']}"
        assert 0 <= digit["confidence"] <= 1 and digit["top3"][0] == [digit["digit"], digit["confidence"]], "confidence"


def memory(kind):
    """Return this process's memory in MiB: "VmRSS", what it has, or "VmHWM", the most that it has had."""
    return int(re.search(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def make_target(folder):
    """Return the function that Atheris calls with bytes."""
    recognizer = Recognizer()
    path = Path(f"/dev/shm/fuzz-{os.getpid()}.png")  # a file in memory, as predict_custom.py has names of files
    runs = itertools.count(1)

    def target(content):
        path.write_bytes(content)
        Path("/proc/self/clear_refs").write_text("5")  # forget the most memory there was
        before, started = memory("VmHWM"), time.process_time()
        try:
            check(recognizer.read(path))
            seconds = time.process_time() - started  # of the CPU: the machine may be busy otherwise
            if seconds > MOST_SECONDS:
                keep(folder, content, "slow", f"{seconds:.1f} seconds")
            if memory("VmHWM") - before > MOST_MIB:
                keep(folder, content, "large", f"{memory('VmHWM') - before} MiB")
        except Exception as error:
            *_, last = traceback.extract_tb(error.__traceback__)
            keep(folder, content, f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}", traceback.format_exc())
        number = next(runs)
        if memory("VmRSS") > TOO_MUCH:  # Atheris 3.0 never frees what a comparison of arrays gives: some MB a picture
            path.unlink()
            print(f"stat::number_of_executed_units: {number}", file=sys.stderr, flush=True)
            os._exit(0)  # watch starts another one

    return target


def keep(folder, content, place, what):
    """Keep the input of a finding, the first at its place in the code."""
    if not (folder / "findings" / f"{place}.txt").exists():
        (folder / "findings" / place).write_bytes(content)
        (folder / "findings" / f"{place}.txt").write_text(what)


def fuzz(folder, seconds):
    """Let Atheris fuzz for so long; it ends the process."""
    cv2.setNumThreads(1)
    PngImagePlugin.ChunkStream.crc = PngImagePlugin.ChunkStream.crc_skip
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={HANGS}",
        f"-rss_limit_mb={2 * TOO_MUCH}",
        f"-max_len={LARGEST}",
        "-print_final_stats=1",
    ]
    flags += [f"-artifact_prefix={folder / 'findings'}/", "-reload=0", "-report_slow_units=999"]
    atheris.Setup(["fuzz", *flags, str(folder / "corpus")], make_target(folder))
    atheris.Fuzz()


def sow(folder):
    """Fill an empty corpus with the pictures to begin with."""
    for name in ("corpus", "findings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not any((folder / "corpus").iterdir()):
        contents = [path.read_bytes() for path in sorted(CUSTOM_DIGITS_DIR.glob("*/*.*"))] + list(small_pictures().values())
        for content in contents:
            (folder / "corpus" / hashlib.sha1(content).hexdigest()).write_bytes(content)


def found(folder):
    """Return the names of the findings."""
    return sorted(path.name for path in (folder / "findings").iterdir() if path.suffix != ".txt")


def watch(folder, minutes):
    """Fuzz in a process of its own, and in another one where a finding ended it. Yield (seconds, runs, places reached) as it goes."""
    started, runs_before = time.monotonic(), 0
    while (left := int(started + 60 * minutes - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--folder", folder, "--seconds", str(left)]
        runs = places = 0
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
            raise RuntimeError("Atheris ends at once: see what it prints, with --seconds 60")


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--minutes", type=command_line.positive_integer, default=60)
    parser.add_argument(
        "--folder", type=Path, default=OUTPUTS_DIR / "fuzz", help="for corpus and findings (default: outputs/fuzz)"
    )
    parser.add_argument("--try", dest="tried", nargs="+", type=Path, metavar="FILE", help="read these files and do no more")
    parser.add_argument("--seconds", type=command_line.positive_integer, help="fuzz in this process, as the others are started")
    parser.add_argument("--json", type=Path, default=RESULTS / "fuzz.json", metavar="FILE", help="where the numbers go")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Sow, fuzz, count, write."""
    arguments = parse(argv)
    folder = arguments.folder.resolve()
    if arguments.tried:
        recognizer = Recognizer()
        for path in arguments.tried:
            started = time.monotonic()
            entry = recognizer.read(path)
            print(f"{path.name}  {time.monotonic() - started:.2f} s  {entry['status']}  {entry['text'] or entry['message']}")
            check(entry)
        return command_line.DONE
    sow(folder)
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
    files.write_json(arguments.json, {**counts, **facts("fuzz", argv)})
    print(f"{runs:,} runs in {seconds / 60:.0f} minutes, findings: {', '.join(findings) or 'none'}")
    return command_line.SOME_FAILED if findings else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
