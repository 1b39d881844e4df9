"""Measure how soon the page answers in a real browser, headless Chromium on this machine.

    python benchmarks/page.py                      measure
    python benchmarks/page.py --screenshots docs   take the screenshots of the page for the README instead

An eight is drawn with mouse events, twenty times: from the moment when the pen touches the drawing to the first answer on the
page, and the answers a second in a stroke of two seconds. The same with a scribble of forty turns, which could be cut into digits
at many places. Then the camera, which sees one of our own images. It prints a table and writes benchmarks/results/page.json.
"""

import io
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from record import RESULTS, facts_with_model  # the first import of our own: it puts the project on the path
from serving import served_page

from digits.cli import command_line
from digits.common import files
from digits.common.config import CUSTOM_DIGITS_DIR
from digits.model.classifier import Classifier

DRAWINGS = 20
SECONDS = 2  # of a stroke, and of the camera
FRAMES = 60  # a second: how often a screen shows a new image, and the pen moves
CAMERA_IMAGE = CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"
WATCH_ANSWERS = """
window.answerTimes = [];
addEventListener("answer", () => answerTimes.push(performance.now()));
drawing.addEventListener("pointerdown", () => { window.penDown = performance.now(); answerTimes.length = 0; }, true);
"""
ANSWERS_A_SECOND = "1000 * (answerTimes.length - 1) / (answerTimes.at(-1) - answerTimes[0])"

# The strokes of the tests, points in units of the drawing's width: a barred 7 and a 4.
SCREENSHOT_STROKES = [[(0.15, 0.2), (0.35, 0.2), (0.22, 0.55)], [(0.2, 0.38), (0.33, 0.36)]]
SCREENSHOT_STROKES += [[(0.6, 0.2), (0.55, 0.4), (0.75, 0.4)], [(0.7, 0.25), (0.68, 0.6)]]
SCREENSHOT_OPTIONS = {
    "page.png": {"viewport": {"width": 1100, "height": 860}},
    "page_phone.png": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}

Area = Mapping[str, float]  # of the drawing on the page, in pixels: x, y, width, height
Point = tuple[float, float]


def eight(t: float) -> Point:
    """Return a point of an eight, in units of the drawing's width. t: 0 at its start, 1 at its end."""
    return 0.35 + 0.12 * math.sin(4 * math.pi * t), 0.35 - 0.22 * math.cos(2 * math.pi * t)


def scribble(t: float) -> Point:
    """Return a point of a line that goes up and down forty times on its way to the right, as eight does."""
    return 0.15 + 0.5 * t, 0.25 + 0.06 * (40 * t % 1)


def on_page(area: Area, point: Point) -> Point:
    """Return the pixel of the page at a point in units of the drawing's width."""
    return area["x"] + point[0] * area["width"], area["y"] + point[1] * area["width"]


def measure(page: Page) -> dict[str, Any]:
    """Return what is measured on a page that has just been opened."""
    page.evaluate(WATCH_ANSWERS)
    eights = [measure_stroke(page, eight) for _ in range(DRAWINGS)]
    scribbles = [measure_stroke(page, scribble) for _ in range(DRAWINGS)]
    first_answers = [milliseconds for milliseconds, _ in eights]
    return {
        "first_answer_milliseconds": statistics.median(first_answers),
        "slowest_first_answer_milliseconds": max(first_answers),
        "readings_a_second": statistics.median(rate for _, rate in eights),
        "readings_a_second_of_a_scribble": statistics.median(rate for _, rate in scribbles),
        "camera_readings_a_second": measure_camera(page),
        "drawings": DRAWINGS,
    }


def measure_stroke(page: Page, curve: Callable[[float], Point]) -> tuple[float, float]:
    """Draw a curve, and return the milliseconds from pen down to the first answer, and the answers a second."""
    area = page.locator("#drawing").bounding_box()
    page.click("#clear")
    page.mouse.move(*on_page(area, curve(0)))
    page.mouse.down()
    for step in range(FRAMES * SECONDS):
        page.mouse.move(*on_page(area, curve(step / (FRAMES * SECONDS))))
        page.wait_for_timeout(1000 / FRAMES)
    result = page.evaluate("answerTimes[0] - penDown"), page.evaluate(ANSWERS_A_SECOND)
    page.mouse.up()
    return result


def measure_camera(page: Page) -> float:
    """Return the camera's readings a second."""
    page.click("#camera")
    page.wait_for_timeout(1000)  # until it runs
    page.evaluate("answerTimes.length = 0")
    page.wait_for_timeout(1000 * SECONDS)
    return page.evaluate(ANSWERS_A_SECOND)


def write_camera_file(folder: Path) -> Path:
    """Write what Chromium takes for a camera, a Motion JPEG of one image, and return its path."""
    frame = io.BytesIO()
    Image.open(CAMERA_IMAGE).convert("RGB").resize((1280, 960)).save(frame, "JPEG", quality=90)
    path = folder / "camera.mjpeg"
    path.write_bytes(frame.getvalue() * 30)
    return path


def take_screenshots(browser: Browser, address: str, folder: Path) -> None:
    """Write page.png, and page_phone.png in dark mode, of a 7 and a 4 that are drawn on the page."""
    for name, options in SCREENSHOT_OPTIONS.items():
        page = browser.new_page(**options)
        page.goto(address)
        page.wait_for_selector("#examples button")
        area = page.locator("#drawing").bounding_box()
        for stroke in SCREENSHOT_STROKES:
            page.mouse.move(*on_page(area, stroke[0]))
            page.mouse.down()
            for point in stroke[1:]:
                page.mouse.move(*on_page(area, point), steps=8)
            page.mouse.up()
        page.wait_for_function("() => !reading")
        page.wait_for_load_state("networkidle")  # the thumbnails are there
        page.screenshot(path=folder / name)
        page.close()


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Serve, draw, measure, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="where the screenshots of the page go")
    arguments = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with served_page() as (_, address), tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--use-fake-ui-for-media-stream"]
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={write_camera_file(Path(folder))}"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        if arguments.screenshots:
            take_screenshots(browser, address, arguments.screenshots)
            return command_line.DONE
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(address)
        page.wait_for_selector("#examples button")
        result = {**measure(page), "chromium": browser.version}
        browser.close()
    files.write_json(RESULTS / "page.json", {**result, **facts_with_model("page", argv, Classifier())})
    command_line.print_table(
        [
            ("", "median"),
            ("pen down to first answer, milliseconds", f"{result['first_answer_milliseconds']:.0f}"),
            ("the slowest of twenty", f"{result['slowest_first_answer_milliseconds']:.0f}"),
            ("readings a second during a stroke", f"{result['readings_a_second']:.0f}"),
            ("the same of a scribble", f"{result['readings_a_second_of_a_scribble']:.0f}"),
            ("the camera's readings a second", f"{result['camera_readings_a_second']:.0f}"),
        ]
    )
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
