"""The page in a real browser: drawn on, given images, shown a camera, corrected; on a phone, in the dark, by keyboard."""

import base64
import io
import json
import re
import shutil

import pytest
from conftest import PROJECT
from PIL import Image

from digits.common.errors import UserError
from digits.data.labelled_folder import labelled_images
from digits.reading.expectation import Expectation
from digits.web import server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SEVEN = PROJECT / "custom_digits" / "7" / "barred_ballpen_photo.jpg"
FORTY_TWO = PROJECT / "custom_digits" / "42" / "phone.jpg"
FIVE = PROJECT / "custom_digits" / "5" / "ballpen_photo.jpg"
SEVEN_STROKES = [[(0.15, 0.2), (0.35, 0.2), (0.22, 0.55)], [(0.2, 0.38), (0.33, 0.36)]]
FOUR_STROKES = [[(0.6, 0.2), (0.55, 0.4), (0.75, 0.4)], [(0.7, 0.25), (0.68, 0.6)]]
# How many pixels of a canvas have one of their four values (red, green, blue, alpha) above 200.
COUNT_PIXELS = """(canvas, channel) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .filter((value, i) => i % 4 === channel && value > 200).length"""
RED, ALPHA = 0, 3
HAND_OVER = """([base64, kind]) => {
    const data = new DataTransfer();
    data.items.add(new File([bytesOf(base64)], "a.jpg", {type: "image/jpeg"}));
    const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
                                  : new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
    document.getElementById("frame").dispatchEvent(event);
}"""


@pytest.fixture(scope="session")
def camera(tmp_path_factory):
    """What the camera sees, a Motion JPEG: two of our own images, a second each, again and again."""
    frames = []
    for path in (SEVEN, FIVE):
        frame = io.BytesIO()
        Image.open(path).convert("RGB").resize((640, 480)).save(frame, "JPEG", quality=90)
        frames += [frame.getvalue()] * 30
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture(scope="session")
def browser(camera):
    """A headless Chromium that asks no other host for updates and takes the file for its camera."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = [
        "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}",
    ]  # fmt: skip
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, page_server):
    """A function that opens the page in a new window; at the end nothing may have been asked of another host."""
    contexts, asked, problems = [], [], []

    def open_it(**options):
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        contexts.append(context)
        context.grant_permissions(["camera"])
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://127.0.0.1:{page_server.port}")
        page.wait_for_selector("#examples button")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems
    hosts = {url.split("/")[2] for url in asked if not url.startswith(("blob:", "data:"))}
    assert hosts <= {f"127.0.0.1:{page_server.port}"}


def draw(page, strokes):
    """Draw strokes, points in units of the drawing's width, with the mouse."""
    area = page.locator("#drawing").bounding_box()
    for stroke in strokes:
        points = [(area["x"] + x * area["width"], area["y"] + y * area["width"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def wait_for(page, text, status=""):
    """Wait until the page shows this, and nothing remains to be read."""
    page.wait_for_function(
        "([text, status]) => !reading && document.getElementById('text').textContent === text"
        " && document.getElementById('status').textContent.includes(status)",
        arg=[text, status],
        timeout=20_000,
    )


def wait_for_message(page, start):
    """Wait until the page's message about keeping starts with this, and return it whole."""
    page.wait_for_function("start => document.getElementById('kept').textContent.startsWith(start)", arg=start)
    return page.inner_text("#kept")


# ---- drawing ---------------------------------------------------------------------------------------------------


def test_drawn_digits_are_read_one_after_the_other(open_page):
    page = open_page()
    assert "Draw a digit" in page.inner_text("#status") and page.locator("#hint").is_visible()
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    draw(page, FOUR_STROKES)
    wait_for(page, "74")
    cards = page.locator(".digit")
    assert [card.split(":")[0] for card in cards.locator("h3").all_inner_texts()] == ["7", "4"]
    heights = cards.first.locator("i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.height))")
    assert max(heights) == heights[7] > 50 and sum(heights) == pytest.approx(100, abs=1)
    assert 20 < cards.first.locator("canvas").evaluate(COUNT_PIXELS, RED) < 300, "the crop is not shown"
    assert page.locator("#boxes").evaluate(COUNT_PIXELS, ALPHA) > 500, "no boxes are drawn"
    assert page.locator("#hint").is_hidden()


def test_marks_are_shown_in_the_text_and_boxed(open_page):
    page = open_page()
    answer = {"status": "ok", "text": "-7", "message": "", "digits": [], "marks": [{"mark": "-", "box": [50, 50, 40, 10]}]}
    page.evaluate("(answer) => showAnswer(answer)", answer)
    assert page.inner_text("#text") == "-7"
    assert page.locator("#boxes").evaluate(COUNT_PIXELS, ALPHA) > 200, "no box is drawn"


def test_undo_eraser_and_clear_change_what_is_read(open_page):
    page = open_page()
    draw(page, SEVEN_STROKES + FOUR_STROKES)
    wait_for(page, "74")
    page.click("#undo")
    page.keyboard.press("Control+z")
    wait_for(page, "7")
    page.click("#eraser")
    draw(page, [[(x, y / 20) for y in range(3, 13) for x in ((0.1, 0.4) if y % 2 else (0.4, 0.1))]])
    wait_for(page, "", "empty")
    page.click("#clear")
    wait_for(page, "", "Draw a digit")
    assert page.locator(".digit").count() == 0


def test_a_drawing_that_is_no_digit_is_not_sure(open_page):
    page = open_page()
    draw(page, [[(0.2, 0.2), (0.5, 0.2), (0.5, 0.5), (0.2, 0.5), (0.2, 0.2)], [(0.1, 0.1), (0.6, 0.6)], [(0.6, 0.1), (0.1, 0.6)]])
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('not sure: ')")


def test_a_saved_drawing_gives_the_script_the_same_answer(open_page, call_script, tmp_path):
    page = open_page()
    page.evaluate("addEventListener('answer', ({ detail }) => { window.lastAnswer = detail; })")
    draw(page, SEVEN_STROKES + FOUR_STROKES)
    wait_for(page, "74")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "drawing.png")
    (entry,) = json.loads(call_script("predict_custom.py", tmp_path / "drawing.png", "--json", "-").stdout)
    answer = page.evaluate("lastAnswer")
    assert entry["text"] == answer["text"] == page.inner_text("#text") == "74"
    assert [digit["box"] for digit in entry["digits"]] == [digit["box"] for digit in answer["digits"]]
    shown = [float(re.search(r"([\d.]+)%", card)[1]) for card in page.locator(".digit h3").all_inner_texts()]
    assert shown == pytest.approx([100 * min(digit["confidence"], 0.999) for digit in entry["digits"]], abs=0.051)


def test_what_is_expected_is_sent_and_stays_while_other_images_are_read(open_page):
    page = open_page()
    page.set_input_files("#file", FORTY_TWO)
    wait_for(page, "42")
    page.fill("#expect", "3")
    wait_for(page, "42", "not sure: does not fit ###")
    page.fill("#expect", "4#")
    page.wait_for_function("() => document.getElementById('answer').className === 'ok'")
    page.set_input_files("#file", SEVEN)
    page.wait_for_function("() => document.getElementById('status').textContent.includes('fit')")
    page.click("#clear")
    assert page.input_value("#expect") == "4#"
    page.fill("#expect", "4x")
    draw(page, SEVEN_STROKES)
    wait_for(page, "", "Expected a number such as 5, or a pattern such as '##.##'")
    page.fill("#expect", "")
    wait_for(page, "7")
    page.fill("#expect", "12")
    page.press("#expect", "Control+z")
    assert page.evaluate("strokes.length") == 2, "Ctrl+Z in the field takes back a stroke"


# ---- images and the camera -------------------------------------------------------------------------------------


def test_an_uploaded_image_is_read_and_shown(open_page):
    page = open_page()
    page.set_input_files("#file", SEVEN)
    wait_for(page, "7")
    white = page.evaluate("drawing.width * drawing.height")
    assert page.locator("#drawing").evaluate(COUNT_PIXELS, RED) < 0.9 * white, "the image is not shown"
    assert page.locator("#boxes").evaluate(COUNT_PIXELS, ALPHA) > 500, "no boxes are drawn"
    draw(page, FOUR_STROKES)  # a stroke replaces the image by a drawing
    wait_for(page, "4")


@pytest.mark.parametrize("ending", ["pdf", "tif"])
def test_each_page_of_a_file_can_be_chosen(open_page, tmp_path, ending):
    first, second = (Image.open(path).convert("RGB") for path in (FORTY_TWO, SEVEN))
    first.save(tmp_path / f"scan.{ending}", save_all=True, append_images=[second])
    page = open_page()
    page.set_input_files("#file", tmp_path / f"scan.{ending}")
    wait_for(page, "42")
    assert page.inner_text("#page-count") == "2" and page.input_value("#page") == "1"
    page.fill("#page", "2")
    wait_for(page, "7")
    for nothing in ("", "3", "0"):  # while a number is being typed
        page.fill("#page", nothing)
        wait_for(page, "7")
    page.fill("#label", "7")
    page.press("#label", "Enter")
    assert wait_for_message(page, "This was not kept: it has 2 pages")
    page.set_input_files("#file", SEVEN)
    wait_for(page, "7")
    assert page.locator("#pages").is_hidden()
    page.set_input_files("#file", tmp_path / f"scan.{ending}")
    wait_for(page, "42")
    assert page.input_value("#page") == "1"


def test_an_image_can_be_dropped_and_pasted(open_page):
    page = open_page()
    page.evaluate(HAND_OVER, [base64.b64encode(SEVEN.read_bytes()).decode(), "drop"])
    wait_for(page, "7")
    page.click("#clear")
    wait_for(page, "", "Draw a digit")
    page.evaluate(HAND_OVER, [base64.b64encode(FIVE.read_bytes()).decode(), "paste"])
    wait_for(page, "5")


def test_the_camera_is_read_live(open_page):
    page = open_page()
    page.click("#camera")
    for text in ("7", "5"):
        page.wait_for_function("text => document.getElementById('text').textContent === text", arg=text)
    page.click("#camera")
    wait_for(page, "", "Draw a digit")
    assert page.locator("#video").is_hidden()


def test_a_camera_that_starts_too_late_is_switched_off(open_page):
    page = open_page()
    page.evaluate("""() => {
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.granted = [];
        window.allow = [];
        navigator.mediaDevices.getUserMedia = async (wish) => {
            await new Promise((resolve) => allow.push(resolve));
            const given = await ask(wish);
            granted.push(given);
            return given;
        };
    }""")
    page.click("#camera")
    page.click("#camera")
    page.set_input_files("#file", SEVEN)
    wait_for(page, "7")
    page.evaluate("allow.forEach((resolve) => resolve())")
    page.wait_for_function(
        "() => granted.length === 2 && "
        "granted.flatMap((stream) => stream.getTracks()).every((track) => track.readyState === 'ended')"
    )
    wait_for(page, "7")
    assert page.locator("#video").is_hidden()


def test_a_bad_upload_gets_a_sentence_and_the_page_stays_up(open_page, page_server, monkeypatch, tmp_path):
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1_000_000)
    bomb = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x00\x00\x00\x01\x00\x00\x08\x00\x00\x00\x00" + b"\x00" * 60
    before = sorted(page_server.folder.rglob("*"))
    page = open_page()
    for name, content, says in (
        ("notes.png", b"no image at all", "not an image"),
        ("huge.png", bytes(1_000_001), "too large"),
        ("cut.jpg", SEVEN.read_bytes()[:2000], "not an image"),
        ("bomb.png", bomb, "It "),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#file", tmp_path / name)
        page.wait_for_function(
            "says => document.getElementById('answer').className === 'error'"
            " && document.getElementById('status').textContent.includes(says)",
            arg=says,
        )
        page.click("#clear")
        wait_for(page, "", "Draw a digit")
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    assert sorted(page_server.folder.rglob("*")) == before, "an upload was written to the disk"


# ---- keeping ---------------------------------------------------------------------------------------------------


def test_a_correction_keeps_the_image_and_never_overwrites(open_page, page_server, call_script):
    before, page = set(page_server.folder.rglob("*.png")), open_page()
    for strokes, text in (([], ""), (SEVEN_STROKES, "7"), (SEVEN_STROKES + FOUR_STROKES, "74")):
        page.click("#clear")
        draw(page, strokes)
        wait_for(page, text)
        page.fill("#label", "7")
        page.press("#label", "Enter")
        wait_for_message(page, "Kept as" if strokes else "There is nothing to keep")
    kept = sorted(set(page_server.folder.rglob("*.png")) - before)
    assert [path.parent.name for path in kept] == ["7", "7"]
    entries = json.loads(call_script("predict_custom.py", *kept, "--json", "-").stdout)
    assert sorted(entry["text"] for entry in entries) == ["7", "74"]


def test_a_correction_may_hold_marks_and_other_text_is_not_sent(open_page, page_server):
    page = open_page()
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    for label, is_valid in (("12/05/2024", True), ("-1,234.50|12:45", True), ("seven", False), ("7 ", False)):
        page.fill("#label", label)
        assert page.locator("#label").evaluate("input => input.checkValidity()") == is_valid
    page.fill("#label", "12/05/2024")
    page.press("#label", "Enter")
    kept = page_server.folder / "kept"
    assert str(kept) in wait_for_message(page, "Kept as")
    (path,) = kept.glob("*.png")
    assert (path, "12/05/2024") in labelled_images(page_server.folder)[0]
    page.fill("#label", "../7")
    page.press("#label", "Enter")
    wait_for_message(page, "An image can't be kept as '../7'.")
    assert list(kept.glob("*.png")) == [path]
    shutil.rmtree(kept)


def test_an_image_is_kept_only_while_its_answer_is_shown(open_page, page_server):
    before, page, held = sorted(page_server.folder.rglob("*")), open_page(), []
    page.route("**/read*", lambda route: held.append(route))  # the answer is late
    draw(page, SEVEN_STROKES)
    page.wait_for_function("() => reading")
    page.click("#clear")
    for route in held:
        route.continue_()
    page.unroute("**/read*")
    page.wait_for_function("() => !reading")
    page.fill("#label", "7")
    page.press("#label", "Enter")
    wait_for_message(page, "There is nothing to keep")

    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    page.wait_for_function("() => lastRead")
    held.clear()
    page.route("**/read*", lambda route: held.append(route))
    with page.expect_request("**/read*"):
        page.set_input_files("#file", FIVE)
    page.press("#label", "Enter")
    wait_for_message(page, "There is nothing to keep")
    page.set_input_files("#file", SEVEN)
    with page.expect_request("**/read*"):  # of the second image, when the answer for the first has come
        held[0].continue_()
    page.press("#label", "Enter")
    wait_for_message(page, "There is nothing to keep")
    assert sorted(page_server.folder.rglob("*")) == before


# ---- how it looks ----------------------------------------------------------------------------------------------


def test_the_page_has_a_dark_background_in_dark_mode_and_a_light_one_otherwise(open_page):
    page, brightness = open_page(), {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        brightness[scheme] = sum(colour)
    assert brightness["light"] > 600 and brightness["dark"] < 150


def test_on_a_phone_the_answer_and_the_drawing_are_in_sight(open_page):
    page = open_page(viewport={"width": 390, "height": 664}, has_touch=True, device_scale_factor=3)
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    text, drawing = page.locator("#text").bounding_box(), page.locator("#drawing").bounding_box()
    assert text["y"] >= 0 and drawing["y"] + drawing["height"] < 664
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, "it scrolls sideways"


def test_the_drawing_area_does_not_move_whatever_the_answer_is(open_page):
    page = open_page()
    fits = (
        "() => { const header = document.querySelector('header');"
        " return header.scrollWidth <= header.clientWidth && header.scrollHeight <= header.clientHeight }"
    )
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        before = page.locator("#drawing").bounding_box()
        assert page.evaluate(fits)
        for text, status, message in (
            ("73|7", "unsure", "does not fit ##.##"),
            (
                "12345678901234567890|12345678901234567890",
                "unsure",
                "10 of 40 pieces of ink are not clearly a digit; "
                "there is a sign that is not a digit after the 20th digit of text line 2",
            ),
            ("", "error", str(wrong_pattern("12:30"))),
            ("", "error", "it is not an image that can be read (in none of the known formats), or it has too many pixels"),
        ):
            answer = {"text": text, "status": status, "message": message, "digits": [], "marks": []}
            page.evaluate("(answer) => showAnswer(answer)", answer)
            assert page.locator("#drawing").bounding_box() == before
            assert page.evaluate(fits), f"{text}{message} is cut off at a width of {width} pixels"


def wrong_pattern(text):
    """The error about a wrong pattern."""
    with pytest.raises(UserError) as caught:
        Expectation.parse(text)
    return caught.value


def test_it_works_by_keyboard_and_for_screen_readers(open_page):
    page = open_page()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.title") == "7/an example.jpg":
            break
    page.keyboard.press("Enter")
    wait_for(page, "7")
    page.wait_for_function("() => document.getElementById('announcement').textContent === '7'")
    unnamed = """() => [...document.querySelectorAll("button, input:not([hidden])")].filter((element) =>
        !(element.textContent.trim() || element.labels?.length || element.querySelector("img[alt]"))).length"""
    assert page.evaluate(unnamed) == 0
