"""Images a second through Ray, with one and two readers, beside our own: one process, and the pool of processes on all cores.

    python benchmarks/scale.py               about five minutes on two cores
    python benchmarks/scale.py --count 100   quickly

The images of custom_digits/, again and again. Ray runs on this machine, started once. Each way reads all images, in turn, in each
of RUNS rounds; medians. Its first images do not count: they hold the start of processes, of which a million images feel nothing.
The cost of a million images is worked out from the rate of one reader; docs/many_images.md states the assumptions.

It writes benchmarks/results/scale.json, and prints images a second, and seconds until the first answers.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from record import PROJECT_FOLDER, add_flags, facts_with_model  # before digits: it puts the project on the path

from digits.cli import command_line
from digits.common import files
from digits.common.config import CORES, CUSTOM_DIGITS_DIR
from digits.data.labelled_folder import images_in
from digits.reading import distributed
from digits.reading.parallel import read_all
from digits.reading.reader import Reader

RUNS = 3
COUNT = 1000  # images
MIN_COUNT = 2  # the first image that comes starts the clock, and a rate needs one more
ACTORS = (1, 2)
BASELINES = {1: "one process", 2: "pool"}  # what each number of actors is compared with; the pool has as many processes as cores


class Clock:
    """Notes when images were read, and how many.

    moments: seconds of time.monotonic, one for each note. done: the numbers of images that these notes are about.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.moments: list[float] = []
        self.done: list[int] = []

    def note(self, done: int, failed: int = 0) -> None:
        """Note that further images were read. failed: of which distributed reports the number, too; they took time as well."""
        self.moments.append(time.monotonic())
        self.done.append(done)

    def result(self) -> dict[str, float]:
        """Return the images a second after the first that came, and the seconds until these."""
        seconds = self.moments[-1] - self.moments[0]
        return {"a_second": sum(self.done[1:]) / seconds, "start_seconds": self.moments[0] - self.started}


def ways(reader: Reader, names: Sequence[str], folder: Path) -> dict[str, Callable[[Clock], None]]:
    """Return {name: a function that reads all images and tells a clock}."""

    def one_process(clock: Clock) -> None:
        for name in names:
            reader.read(name)
            clock.note(1)

    def pool(clock: Clock) -> None:
        for _ in read_all(reader, names, thumbnails=0):
            clock.note(1)

    def ray(actors: int) -> Callable[[Clock], None]:
        output = str(folder / "answers.jsonl")
        return lambda clock: distributed.read_and_write(names, output, reader.arguments, report=clock.note, actors=actors)

    return {"one process": one_process, "pool": pool} | {f"ray {actors}": ray(actors) for actors in ACTORS}


def measure(reader: Reader, count: int) -> dict[str, dict[str, float]]:
    """Return {way: medians}."""
    images, _ = images_in(CUSTOM_DIGITS_DIR)
    names = [str(images[number % len(images)]) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, list[dict[str, float]]] = {}
        for number in range(RUNS):
            for way, read in ways(reader, names, Path(folder)).items():
                print(f"round {number + 1}, {way} ...", file=sys.stderr)
                clock = Clock()
                read(clock)
                runs.setdefault(way, []).append(clock.result())
    return {way: {key: statistics.median(run[key] for run in results) for key in results[0]} for way, results in runs.items()}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    count_help = f"images that each way reads (default: {COUNT})"
    parser.add_argument("--count", type=command_line.positive_integer, default=COUNT, metavar="N", help=count_help)
    add_flags(parser, "scale")
    arguments = parser.parse_args(argv)
    if arguments.count < MIN_COUNT:
        parser.error(f"--count: expected at least {MIN_COUNT} images, not {arguments.count}")
    return arguments


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    arguments = parse(argv)
    reader = Reader(arguments.model)
    os.environ["PYTHONPATH"] = str(PROJECT_FOLDER)  # for Ray's processes, which look beside the script that is run
    print(f"Ray cluster: {distributed.connect('auto')}; the pool has {CORES} processes\n")
    measured = measure(reader, arguments.count)
    ratios = {
        f"ray {actors}": measured[f"ray {actors}"]["a_second"] / measured[baseline]["a_second"]
        for actors, baseline in BASELINES.items()
    }
    rows = [("", "images a second", "seconds to the first", "ratio")]
    for way, numbers in measured.items():
        ratio = f"{ratios[way]:.2f}" if way in ratios else ""
        rows.append((way, f"{numbers['a_second']:.1f}", f"{numbers['start_seconds']:.1f}", ratio))
    command_line.print_table(rows)
    result = facts_with_model("scale", argv, reader.classifier)
    files.write_json(arguments.json, {**result, "images": arguments.count, "runs": RUNS, "ways": measured, "ratios": ratios})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
