"""Ten people use the page for a minute: is an answer lost or given to somebody else, and does the memory stay?

    python benchmarks/ten_people.py                 a minute
    python benchmarks/ten_people.py --seconds 600   longer

Each sends the pictures in custom_digits/ one after another, in an order of their own and without a pause, as the page does:
over one connection, the next picture when the answer is there. Every answer must be the one that a single person got before.
It writes benchmarks/results/ten_people.json, exits with 1 if a claim does not hold, and prints (two cores, other work beside it):

      answers                               1,696
      lost                                      0
      another's, or another than alone          0
      median wait, seconds                   0.35
      slowest wait, seconds                  0.79
      memory after a fifth of the time, MiB   144
      memory at the end, MiB                  130
"""

import http.client
import json
import random
import re
import statistics
import sys
import threading
import time
from pathlib import Path

from record import RESULTS, facts  # first of ours: it puts the project on the path
from serving import served_page

from digits import command_line, files
from digits.config import CUSTOM_DIGITS_DIR
from digits.dataset import pictures_in

PEOPLE = 10
WARM_UP = 0.2  # share of the time after which the memory is measured for the first time
MOST_GROWTH = 1.1  # times the memory at that moment. chosen
HEADROOM = 20  # MiB that it may grow besides; the allocator's


def ask(connection, port, data):
    """Return the answer to a picture, bytes: (status, what the page would show)."""
    connection.request("POST", "/read?preview=0", data, {"Origin": f"http://127.0.0.1:{port}"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def memory(process):
    """Return the memory that a process holds, in MiB."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


class Person(threading.Thread):
    """Sends pictures until a moment, and keeps what came back that should not have."""

    def __init__(self, number, port, pictures, expected, until):
        super().__init__()
        self.order = random.Random(number)
        self.port, self.pictures, self.expected, self.until = port, pictures, expected, until
        self.seconds, self.wrong, self.lost = [], 0, 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < self.until:
            name = self.order.choice(list(self.pictures))
            started = time.monotonic()
            try:
                answer = ask(connection, self.port, self.pictures[name])
            except (OSError, http.client.HTTPException):
                self.lost += 1
                connection.close()
                continue
            self.seconds.append(time.monotonic() - started)
            self.wrong += answer != self.expected[name]


def measure(served, port, seconds):
    """Return the numbers of so many seconds."""
    pictures = {path: Path(path).read_bytes() for path in pictures_in(CUSTOM_DIGITS_DIR)[0]}
    alone = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    expected = {name: ask(alone, port, data) for name, data in pictures.items()}
    people = [Person(number, port, pictures, expected, time.monotonic() + seconds) for number in range(PEOPLE)]
    for person in people:
        person.start()
    time.sleep(WARM_UP * seconds)
    early = memory(served)
    for person in people:
        person.join()
    waits = sorted(wait for person in people for wait in person.seconds)
    return {
        "people": PEOPLE,
        "seconds": seconds,
        "answers": len(waits),
        "lost": sum(person.lost for person in people),
        "wrong": sum(person.wrong for person in people),
        "median_seconds": statistics.median(waits),
        "slowest_seconds": waits[-1],
        "early_mebibytes": early,
        "late_mebibytes": memory(served),
    }


@command_line.exit_codes
def main(argv=None) -> int:
    """Serve, ask, count, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--seconds", type=command_line.positive_integer, default=60, help="(default: 60)")
    arguments = parser.parse_args(argv)
    with served_page() as (served, address):
        result = measure(served, int(address.rpartition(":")[2]), arguments.seconds)
    files.write_json(RESULTS / "ten_people.json", {**result, **facts("ten_people", argv)})
    command_line.print_table(
        [
            ("answers", f"{result['answers']:,}"),
            ("lost", result["lost"]),
            ("another's, or another than alone", result["wrong"]),
            ("median wait, seconds", f"{result['median_seconds']:.2f}"),
            ("slowest wait, seconds", f"{result['slowest_seconds']:.2f}"),
            ("memory after a fifth of the time, MiB", f"{result['early_mebibytes']:.0f}"),
            ("memory at the end, MiB", f"{result['late_mebibytes']:.0f}"),
        ]
    )
    steady = result["late_mebibytes"] <= MOST_GROWTH * result["early_mebibytes"] + HEADROOM
    return command_line.DONE if not result["lost"] and not result["wrong"] and steady else command_line.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
