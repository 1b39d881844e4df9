"""The pages in a real browser: drawn on, given images, shown a camera, corrected; forms; on a phone, in the dark, by keyboard."""

import base64
import csv
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
from digits.reading.form import load_fields
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

    def open_it(address="", ready="#examples button", **options):
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        contexts.append(context)
        context.grant_permissions(["camera"])
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://127.0.0.1:{page_server.port}/{address}")
        page.wait_for_selector(ready)
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
    wait_for(page, "", 'Expected a number such as 5, or a pattern such as "##.##"')
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


@pytest.mark.parametrize("ending", ["pdf", pytest.param("tif", marks=pytest.mark.slow)])
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
    assert wait_for_message(page, "This was not kept: it has several pages")
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
                "10 of 40 digits are not clear; there is a sign that is not a digit after the 20th digit of text line 2",
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


# ---- forms -----------------------------------------------------------------------------------------------------

NO_FIELD_IS_READ = """() => !readingFields && !changedFields.size
    && [...document.querySelectorAll("#fields output")].every((answer) => !["", "…"].includes(answer.textContent))"""


@pytest.fixture
def sheets(composed_sheet, tmp_path):
    """A folder with blank.png, page.png, photo.jpg, scan.pdf of two pages, and fields.csv."""
    sheet = composed_sheet
    page, blank = Image.fromarray(sheet.page), Image.fromarray(sheet.blank)
    for image, name in ((blank, "blank.png"), (page, "page.png"), (Image.fromarray(sheet.photo), "photo.jpg")):
        image.save(tmp_path / name)
    blank.save(tmp_path / "scan.pdf", save_all=True, append_images=[page], resolution=200)
    with open(tmp_path / "fields.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "x", "y", "width", "height"))
        rows.writerows((field.name, field.x, field.y, field.width, field.height) for field in sheet.fields)
    return tmp_path


def open_sheet(page, path):
    page.set_input_files("#sheet-file", path)
    page.wait_for_function(
        "name => document.getElementById('sheet').alt.startsWith(name) && document.getElementById('sheet').complete",
        arg=path.name,
    )


def load_five_fields(page, sheets):
    page.set_input_files("#fields-file", sheets / "fields.csv")
    page.wait_for_function("() => fields.length === 5")


def read_stack(page, *paths):
    """Read a stack of sheets and return what the page says when it is done."""
    page.set_input_files("#stack-files", paths)
    page.wait_for_function(
        "() => !running && document.getElementById('stack-message').textContent.includes(' read.')", timeout=90_000
    )
    return page.inner_text("#stack-message")


def wait_for_fields(page):
    """Wait until all fields of the sheet that is shown are read, and return what is shown of each."""
    page.wait_for_function(NO_FIELD_IS_READ, timeout=60_000)
    return page.locator("#fields output").all_inner_texts()


def downloaded(page, selector):
    """Press a button by keyboard and return the text of the file that it saves."""
    page.focus(selector)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return download.value.path().read_bytes().decode()


def test_fields_are_drawn_named_read_saved_and_loaded(open_page, composed_sheet, sheets):
    page = open_page("forms.html", "#open-sheet")
    open_sheet(page, sheets / "page.png")
    for number, field in enumerate(composed_sheet.fields[:2]):
        area = page.locator("#stage").bounding_box()
        corners = [
            (area["x"] + x * area["width"], area["y"] + y * area["height"])
            for x, y in ((field.x + field.width, field.y + field.height), (field.x, field.y))
        ]
        page.mouse.move(*corners[0])
        page.mouse.down()
        page.mouse.move(*corners[1], steps=3)
        page.mouse.up()
        page.keyboard.type(f"drawn {number}")  # its name has the focus
    assert wait_for_fields(page) == composed_sheet.labels[:2]
    (sheets / "saved.csv").write_text(downloaded(page, "#save-fields"))
    saved = load_fields(sheets / "saved.csv")
    assert [field.name for field in saved] == ["drawn 0", "drawn 1"]
    for field, drawn in zip(composed_sheet.fields, saved, strict=False):
        places = [(one.x, one.y, one.width, one.height) for one in (field, drawn)]
        assert places[1] == pytest.approx(places[0], abs=0.003)
    page.locator("#fields input").first.fill("image")
    page.click("#save-fields")
    page.wait_for_function(
        "() => document.getElementById('fields-message').textContent.startsWith(\"Field 1: the name 'image'\")"
    )
    load_five_fields(page, sheets)
    assert wait_for_fields(page) == [*composed_sheet.labels[:4], "empty"]


def test_a_field_is_made_moved_named_and_removed_by_keyboard(open_page):
    page = open_page("forms.html", "#open-sheet")
    place = "(({ x, y, width, height }) => [x, y, width, height])(fields.at(-1))"
    page.focus("#new-field")
    page.keyboard.press("Enter")
    before = page.evaluate(place)
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
    moved = [after - earlier for earlier, after in zip(before, page.evaluate(place), strict=True)]
    assert moved == pytest.approx([0.002, 0.004, -0.002, 0.002])
    page.keyboard.press("Enter")
    page.keyboard.type('a, "b"')
    page.keyboard.press("Tab")
    page.keyboard.type("##.##")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # another one, below
    assert page.evaluate("document.activeElement.ariaLabel") == "Field field 2"
    for _ in range(100):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate(place)[0] == 0, "it leaves the page"
    page.keyboard.press("Delete")
    row = '"a, ""b""",0.102,0.104,0.298,0.032,##.##'
    assert downloaded(page, "#save-fields") == f"name,x,y,width,height,expect\r\n{row}\r\n"


@pytest.mark.slow
def test_a_stack_gives_the_csv_that_the_script_writes(open_page, composed_sheet, sheets, call_script):
    (sheets / "broken.png").write_bytes(b"no image")
    names = ["photo.jpg", "scan.pdf", "broken.png"]
    page = open_page("forms.html", "#open-sheet")
    open_sheet(page, sheets / "blank.png")
    load_five_fields(page, sheets)
    assert wait_for_fields(page) == ["empty"] * 5
    assert read_stack(page, *(sheets / name for name in names)).startswith("4 sheets read. To check: ")
    written = call_script("predict_custom.py", *names, "--fields", "fields.csv", "--align", "blank.png", "--csv", "-", cwd=sheets)
    text = downloaded(page, "#download")
    assert text == written.stdout and text.count("\r\n") == 5
    photo, *_, broken = csv.reader(text.splitlines()[1:])
    assert photo[0] == "photo.jpg" and photo[4:] == composed_sheet.labels and broken[:2] == ["broken.png", "error"]
    page.select_option("#shown", "scan.pdf#2")
    shown = page.locator("#answers .answer").evaluate_all("inputs => inputs.map((input) => input.value)")
    assert shown == composed_sheet.labels
    assert page.locator("#answers img").evaluate_all("images => images.every((image) => image.naturalWidth > 100)")


def test_what_is_not_sure_is_corrected_by_keyboard_and_kept(open_page, page_server, composed_sheet, sheets):
    names = [field.name for field in composed_sheet.fields]
    text = (sheets / "fields.csv").read_text().splitlines()
    expects = ["expect", "###.###", "", "", "#####.#", ""]
    (sheets / "fields.csv").write_text("".join(f"{line},{expect}\n" for line, expect in zip(text, expects, strict=True)))
    page = open_page("forms.html", "#open-sheet")
    load_five_fields(page, sheets)
    page.uncheck("#align")
    assert read_stack(page, sheets / "page.png") == "1 sheet read. To check: 2."
    unsure = list(csv.reader(downloaded(page, "#download").splitlines()))[1]
    assert unsure[:2] == ["page.png", "unsure"] and unsure[3] == f"{names[0]};{names[3]}"

    page.focus("#keep")
    for _ in range(2):  # past the sheet's name
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == f"{names[0]} of page.png"
    page.keyboard.press("Control+a")
    page.keyboard.type("12/05")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == f"{names[3]} of page.png"
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == f"{names[3]} of page.png", "what is no number was taken"
    page.keyboard.press("Control+a")
    page.keyboard.type("34")
    page.keyboard.press("ArrowUp")
    assert page.inner_text("#check-message") == "All is checked."
    corrected = list(csv.reader(downloaded(page, "#download").splitlines()))[1]
    assert corrected == ["page.png", "ok", "", "", "12/05", *composed_sheet.labels[1:3], "34", ""]

    page.focus("#keep")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('check-message').textContent.startsWith('2 fields kept')")
    kept = [(path, label) for path, label in labelled_images(page_server.folder)[0] if label in ("12/05", "34")]
    assert sorted(label for _, label in kept) == ["12/05", "34"]
    assert all(Image.open(path).width > 300 for path, _ in kept)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('check-message').textContent.startsWith('There is nothing to keep')")
    page.evaluate("form.id = 'forgotten'")
    assert page.evaluate("readWithForm(sheets[0]).then(({ status }) => status)") == "unsure", "the form is not sent once more"
    for folder in ("34", "kept"):
        shutil.rmtree(page_server.folder / folder)


def test_a_sheet_whose_fields_are_all_empty_is_said_and_can_be_called_blank(open_page, sheets):
    page = open_page("forms.html", "#open-sheet")
    load_five_fields(page, sheets)
    page.uncheck("#align")
    assert read_stack(page, sheets / "blank.png") == "1 sheet read. To check: 1."
    assert "All its fields are empty" in page.inner_text("#answers")
    page.click("#answers button.link")
    page.wait_for_selector("#viewer[open]")
    page.keyboard.press("Escape")
    page.click("text=It is blank")
    assert downloaded(page, "#download").splitlines()[1] == "blank.png,ok,,,,,,,"


def test_stop_leaves_out_the_other_pages_of_a_file_whose_first_page_is_being_read(open_page, sheets):
    page = open_page("forms.html", "#open-sheet")
    load_five_fields(page, sheets)
    page.uncheck("#align")
    page.evaluate("""() => {
        const send = post;
        post = async (address, body) => {
            const answer = await send(address, body);
            if (address.startsWith("/read_form")) document.getElementById("stop").click();
            return answer;
        };
    }""")
    assert read_stack(page, sheets / "scan.pdf").startswith("1 sheet read. 1 sheet not read.")


def test_the_sheet_that_was_opened_last_is_shown_even_if_an_earlier_one_is_answered_later(open_page, sheets):
    page = open_page("forms.html", "#open-sheet")
    page.evaluate("""() => {
        const send = post;
        let count = 0, release;
        const released = new Promise((resolve) => { release = resolve; });
        post = async (address, body) => {
            const number = ++count, answer = await send(address, body);
            if (number === 1) await released;
            else setTimeout(release, 50);
            return answer;
        };
    }""")
    page.set_input_files("#sheet-file", sheets / "blank.png")
    open_sheet(page, sheets / "page.png")
    page.wait_for_timeout(300)  # until the answer of the first one has come
    assert page.get_attribute("#sheet", "alt").startswith("page.png")


def test_what_can_not_be_used_gets_a_sentence(open_page, composed_sheet, sheets):
    page = open_page("forms.html", "#open-sheet")

    def wait_for_sentence(section, words):
        page.wait_for_function(
            "([id, words]) => document.getElementById(id).textContent.includes(words)"
            " && document.getElementById(id).classList.contains('error')",
            arg=[f"{section}-message", words],
        )

    (sheets / "wrong.csv").write_text("name,x,y,width,height\na,0,0,1,2\n")
    (sheets / "latin.csv").write_bytes(b"name,x,y,width,height\n\xe9,0,0,1,1\n")
    page.set_input_files("#sheet-file", sheets / "wrong.csv")
    wait_for_sentence("sheet", "wrong.csv: it is not an image")
    page.click("#save-fields")
    wait_for_sentence("fields", "There is no field yet")
    page.set_input_files("#fields-file", sheets / "wrong.csv")
    wait_for_sentence("fields", "wrong.csv, line 2: x 0.0")
    page.set_input_files("#fields-file", sheets / "latin.csv")
    wait_for_sentence("fields", "latin.csv is no text in UTF-8")
    page.set_input_files("#stack-files", sheets / "page.png")
    wait_for_sentence("stack", "Open the sheet above")
    page.uncheck("#align")
    page.set_input_files("#stack-files", sheets / "page.png")
    wait_for_sentence("stack", "There is no field yet")
    load_five_fields(page, sheets)
    open_sheet(page, sheets / "page.png")
    page.get_by_label("What is expected in").first.fill("4x")
    answers = wait_for_fields(page)
    assert answers[0].startswith("'4x' is no number of digits") and answers[1:4] == composed_sheet.labels[1:4]


def test_a_csv_that_is_downloaded_while_sheets_are_read_says_that_it_lacks_some(open_page, sheets):
    page = open_page("forms.html", "#open-sheet")
    load_five_fields(page, sheets)
    page.uncheck("#align")
    page.set_input_files("#stack-files", [sheets / name for name in ("page.png", "photo.jpg", "blank.png", "scan.pdf")])
    page.wait_for_function("() => sheets.length > 3 && !document.getElementById('check').hidden")
    downloaded(page, "#download")
    assert "not read yet: download it again" in page.inner_text("#check-message")
    assert page.evaluate("unsaved.answers"), "the sheets that follow would be lost without a question"


@pytest.mark.slow
def test_the_page_for_forms_fits_a_phone_and_names_all_its_controls(open_page, sheets):
    page = open_page("forms.html", "#open-sheet", viewport={"width": 390, "height": 664}, has_touch=True)
    load_five_fields(page, sheets)
    page.uncheck("#align")
    read_stack(page, sheets / "page.png")
    page.select_option("#shown", "page.png")
    assert page.locator("#answers .answer").count() == 5
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, "it scrolls sideways"
    unnamed = """() => [...document.querySelectorAll("button, input:not([hidden]), select, output, img:not([hidden])")].filter(
        (element) => !(element.ariaLabel || element.textContent.trim() || element.labels?.length || element.alt)).length"""
    assert page.evaluate(unnamed) == 0
    page.click("#other-page")
    page.wait_for_selector("#examples button")
    page.click("#other-page")
    page.wait_for_selector("#open-sheet")
