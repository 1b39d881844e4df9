"""Test that ten people can use the page at once for a minute: no answer is lost or swapped, and the memory stays.

    python stress/ten_people.py                 a minute
    python stress/ten_people.py --seconds 600   longer

Each of them sends the images in custom_digits/ one after another, in a random order and without a pause, as the page does: over
one connection, the next image when the answer has come. Every answer must be the one that a single person got before.
It prints a table, writes benchmarks/results/ten_people.json, and ends with exit code 1 where something fails.
"""

import http.client
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import RESULTS, facts_with_model, served_page

from digits.cli import command_line
from digits.common import files
from digits.common.config import CUSTOM_DIGITS_DIR
from digits.data.labelled_folder import images_in
from digits.model.classifier import Classifier

PEOPLE = 10
WARM_UP = 0.2  # of the time, after which the memory is measured for the first time: every thread has read some images by then
MAX_GROWTH = 1.1  # of the memory from then on. A leak of a single image an answer, 1 MiB, would make it tenfold in a minute
ALLOCATOR_NOISE = 20  # MiB by which the memory may grow besides: between two measurements it varies by 14

Answer = tuple[int, Any]  # the status code, and what the page would show


def ask(connection: http.client.HTTPConnection, image: bytes) -> Answer:
    """Return the answer to an image, the content of its file."""
    connection.request("POST", "/read?preview=0", image, {"Origin": f"http://{connection.host}:{connection.port}"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def memory(process: subprocess.Popen) -> float:
    """Return the memory that a process holds, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


class Person(threading.Thread):
    """Sends images until the end, a moment of time.monotonic, and counts the answers that are lost or wrong."""

    def __init__(self, seed: int, port: int, images: Mapping[Path, bytes], expected: Mapping[Path, Answer], end: float) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.port, self.images, self.expected, self.end = port, images, expected, end
        self.waits: list[float] = []  # seconds
        self.wrong = self.lost = 0

    def run(self) -> None:
        """Send images."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < self.end:
            path = self.random.choice(list(self.images))
            start = time.monotonic()
            try:
                answer = ask(connection, self.images[path])
            except (OSError, http.client.HTTPException):
                self.lost += 1
                connection.close()
                continue
            self.waits.append(time.monotonic() - start)
            self.wrong += answer != self.expected[path]


def measure(server: subprocess.Popen, port: int, seconds: int) -> dict[str, Any]:
    """Return what ten people saw in this time, and the memory of the server."""
    images = {path: path.read_bytes() for path in images_in(CUSTOM_DIGITS_DIR)[0]}
    alone = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    expected = {path: ask(alone, image) for path, image in images.items()}
    people = [Person(seed, port, images, expected, time.monotonic() + seconds) for seed in range(PEOPLE)]
    for person in people:
        person.start()
    time.sleep(WARM_UP * seconds)
    early = memory(server)
    for person in people:
        person.join()
    waits = [wait for person in people for wait in person.waits]
    return {
        "people": PEOPLE,
        "seconds": seconds,
        "answers": len(waits),
        "lost": sum(person.lost for person in people),
        "wrong": sum(person.wrong for person in people),
        "median_seconds": statistics.median(waits),
        "slowest_seconds": max(waits),
        "early_mebibytes": early,
        "late_mebibytes": memory(server),
    }


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Serve, ask, count, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--seconds", type=command_line.positive_integer, default=60, help="(default: 60)")
    arguments = parser.parse_args(argv)
    with served_page() as (server, address):
        result = measure(server, int(address.rpartition(":")[2]), arguments.seconds)
    files.write_json(RESULTS / "ten_people.json", {**result, **facts_with_model("ten_people", argv, Classifier(), "stress")})
    command_line.print_table(
        [
            ("answers", f"{result['answers']:,}"),
            ("lost", result["lost"]),
            ("wrong", result["wrong"]),
            ("median wait, seconds", f"{result['median_seconds']:.2f}"),
            ("slowest wait, seconds", f"{result['slowest_seconds']:.2f}"),
            ("memory after a fifth of the time, MiB", f"{result['early_mebibytes']:.0f}"),
            ("memory at the end, MiB", f"{result['late_mebibytes']:.0f}"),
        ]
    )
    is_steady = result["late_mebibytes"] <= MAX_GROWTH * result["early_mebibytes"] + ALLOCATOR_NOISE
    return command_line.DONE if not result["lost"] and not result["wrong"] and is_steady else command_line.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
