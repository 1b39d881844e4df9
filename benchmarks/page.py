"""How soon the page answers in a real browser, headless Chromium on this machine.

    python benchmarks/page.py                      measure
    python benchmarks/page.py --screenshots docs   take the README's pictures of the page instead

An eight is drawn with mouse events, twenty times: from the pen's touching the drawing to the first answer on the page,
and the answers a second while the stroke lasts two seconds. The same with a scribble of forty turns, which could be cut into
digits at many places. Then the camera, fed one of our own pictures. It writes benchmarks/results/page.json, and prints:

                                              median
      pen down to first answer, milliseconds      75
      the slowest of twenty                      534
      readings a second during a stroke           13
      the same of a scribble                       7
      the camera's readings a second               7
"""

import io
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from record import RESULTS, facts  # first of ours: it puts the project on the path
from serving import served_page

from digits import command_line, files
from digits.config import CUSTOM_DIGITS_DIR

DRAWINGS = 20
SECONDS = 2  # of a stroke, and of the camera
PICTURE = CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"
WATCH = """
window.moments = [];
addEventListener("answer", () => moments.push(performance.now()));
drawing.addEventListener("pointerdown", () => { window.touched = performance.now(); moments.length = 0; }, true);
"""


def camera_file(folder):
    """Return a Motion JPEG file of the picture, from which Chromium makes its camera."""
    frame = io.BytesIO()
    Image.open(PICTURE).convert("RGB").resize((1280, 960)).save(frame, "JPEG", quality=90)
    path = Path(folder) / "camera.mjpeg"
    path.write_bytes(frame.getvalue() * 30)
    return path


def eight(share):
    """Return where the pen is, in parts of the drawing's width, when so much of an eight is drawn."""
    return 0.35 + 0.12 * math.sin(4 * math.pi * share), 0.35 - 0.22 * math.cos(2 * math.pi * share)


def scribble(share):
    """Return the same of a line that goes up and down forty times on its way to the right."""
    return 0.15 + 0.5 * share, 0.25 + 0.06 * (40 * share % 1)


def place(area, path, share):
    """Return the mouse's place on the page."""
    x, y = path(share)
    return area["x"] + x * area["width"], area["y"] + y * area["width"]


def measure(page):
    """Return the numbers of one page."""
    page.evaluate(WATCH)
    area = page.locator("#drawing").bounding_box()
    firsts, rates = {}, {}
    for path in (eight, scribble):
        for _ in range(DRAWINGS):
            page.click("#clear")
            page.mouse.move(*place(area, path, 0))
            page.mouse.down()
            for step in range(60 * SECONDS):  # a pen that moves with every picture of the screen
                page.mouse.move(*place(area, path, step / (60 * SECONDS)))
                page.wait_for_timeout(1000 / 60)
            firsts.setdefault(path, []).append(page.evaluate("moments[0] - touched"))
            rates.setdefault(path, []).append(page.evaluate("1000 * (moments.length - 1) / (moments.at(-1) - moments[0])"))
            page.mouse.up()
    page.click("#camera")
    page.wait_for_timeout(1000)
    page.evaluate("moments.length = 0")
    page.wait_for_timeout(1000 * SECONDS)
    camera = page.evaluate("1000 * (moments.length - 1) / (moments.at(-1) - moments[0])")
    return {
        "first_answer_milliseconds": statistics.median(firsts[eight]),
        "slowest_first_answer_milliseconds": max(firsts[eight]),
        "readings_a_second": statistics.median(rates[eight]),
        "readings_a_second_of_a_scribble": statistics.median(rates[scribble]),
        "camera_readings_a_second": camera,
        "drawings": DRAWINGS,
    }


def take_screenshots(browser, address, folder):
    """Write page.png and page_phone.png, the second in dark mode, of a 7 and a 4 that are drawn there."""
    strokes = [[(0.15, 0.2), (0.35, 0.2), (0.22, 0.55)], [(0.2, 0.38), (0.33, 0.36)]]
    strokes += [[(0.6, 0.2), (0.55, 0.4), (0.75, 0.4)], [(0.7, 0.25), (0.68, 0.6)]]
    looks = {
        "page.png": {"viewport": {"width": 1100, "height": 860}},
        "page_phone.png": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    }
    for name, look in looks.items():
        page = browser.new_page(**look)
        page.goto(address)
        page.wait_for_selector("#examples button")
        area = page.locator("#drawing").bounding_box()
        for stroke in strokes:
            places = [(area["x"] + x * area["width"], area["y"] + y * area["width"]) for x, y in stroke]
            page.mouse.move(*places[0])
            page.mouse.down()
            for place in places[1:]:
                page.mouse.move(*place, steps=8)
            page.mouse.up()
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / name)
        page.close()


@command_line.exit_codes
def main(argv=None) -> int:
    """Serve, draw, measure, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="where the pictures of the page go")
    arguments = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with served_page() as (_, address), tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--use-fake-ui-for-media-stream"]
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera_file(folder)}"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        if arguments.screenshots:
            take_screenshots(browser, address, arguments.screenshots)
            return command_line.DONE
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(address)
        page.wait_for_selector("#examples button")
        result = measure(page)
        result["chromium"] = browser.version
        browser.close()
    files.write_json(RESULTS / "page.json", {**result, **facts("page", argv)})
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
