"""The page in a real browser: drawn on, given pictures, shown a camera, corrected; and what it refuses."""

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from conftest import PROJECT, SHIPPED_MODEL, heed_ctrl_c
from digits.server import LARGEST, application

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SEVEN = PROJECT / "custom_digits" / "7" / "barred_ballpen_photo.jpg"
SEVEN_STROKES = [[(0.15, 0.2), (0.35, 0.2), (0.22, 0.55)], [(0.2, 0.38), (0.33, 0.36)]]
FOUR_STROKES = [[(0.6, 0.2), (0.55, 0.4), (0.75, 0.4)], [(0.7, 0.25), (0.68, 0.6)]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of the examples and of what is kept, with one example."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "7").mkdir()
    shutil.copy(SEVEN, folder / "7" / "an example.jpg")
    return folder


@pytest.fixture(scope="module")
def port(kept):
    """The port of a page that is served by this process, as draw_digits.py serves it."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(SHIPPED_MODEL, None, kept), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """What the camera sees: two of our own pictures in turn, a second each, as Motion JPEG."""
    frames = []
    for name in ("7/barred_ballpen_photo.jpg", "5/ballpen_photo.jpg"):
        frame = io.BytesIO()
        Image.open(PROJECT / "custom_digits" / name).convert("RGB").resize((640, 480)).save(frame, "JPEG", quality=90)
        frames += [frame.getvalue()] * 30
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture(scope="module")
def browser(camera):
    """A headless Chromium that asks nobody for updates and takes the file for its camera."""
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
def open_page(browser, port):
    """A function that opens the page in a new window; at the end nothing may have been asked of another host."""
    contexts, asked, problems = [], [], []

    def open_it(**options):
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        contexts.append(context)
        context.grant_permissions(["camera"])
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_selector("#examples button")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems
    assert {url.split("/")[2] for url in asked if not url.startswith(("blob:", "data:"))} <= {f"127.0.0.1:{port}"}


def draw(page, strokes):
    """Draw strokes, points in parts of the drawing's width, with the mouse."""
    area = page.locator("#drawing").bounding_box()
    for stroke in strokes:
        places = [(area["x"] + x * area["width"], area["y"] + y * area["width"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()


def wait_for(page, text, status=""):
    """Wait until the page says this."""
    page.wait_for_function(
        "([text, status]) => document.getElementById('text').textContent === text"
        " && document.getElementById('status').textContent.includes(status)",
        arg=[text, status],
        timeout=20_000,
    )


def test_drawn_digits_are_read_one_after_the_other(open_page):
    page = open_page()
    assert "Draw a digit" in page.inner_text("#status")
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    draw(page, FOUR_STROKES)
    wait_for(page, "74")
    cards = page.locator(".digit")
    assert [card.split(":")[0] for card in cards.locator("h3").all_inner_texts()] == ["7", "4"]
    heights = cards.first.locator("i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.height))")
    assert max(heights) == heights[7] > 50 and sum(heights) == pytest.approx(100, abs=1)
    lit = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.filter((v, i) => i % 4 === 0 && v > 200).length"
    assert 20 < cards.first.locator("canvas").evaluate(lit) < 300, "what the network saw is not shown"
    blue = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.filter((v, i) => i % 4 === 3 && v > 200).length"
    assert page.locator("#boxes").evaluate(blue) > 500, "no boxes are drawn"


def test_undo_eraser_and_clear(open_page):
    page = open_page()
    draw(page, SEVEN_STROKES + FOUR_STROKES)
    wait_for(page, "74")
    page.click("#undo")
    page.keyboard.press("Control+z")
    wait_for(page, "7")
    page.click("#eraser")
    draw(page, [[(0.1, y / 20), (0.4, y / 20)] for y in range(3, 13)])
    wait_for(page, "", "empty")
    page.click("#clear")
    wait_for(page, "", "Draw a digit")
    assert page.locator(".digit").count() == 0


def test_what_is_no_digit_is_not_sure(open_page):
    page = open_page()
    draw(page, [[(0.2, 0.2), (0.5, 0.2), (0.5, 0.5), (0.2, 0.5), (0.2, 0.2)], [(0.1, 0.1), (0.6, 0.6)], [(0.6, 0.1), (0.1, 0.6)]])
    page.wait_for_function("() => document.getElementById('status').textContent === 'not sure'")


def test_a_saved_drawing_gives_the_script_the_same_answer(open_page, run_script, tmp_path):
    page = open_page()
    with page.expect_event("console", timeout=20_000) as event:
        page.evaluate("addEventListener('answer', ({detail}) => detail.text === '74' && console.log(JSON.stringify(detail)))")
        draw(page, SEVEN_STROKES + FOUR_STROKES)
    page.wait_for_timeout(500)  # the last answer has come
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "drawing.png")
    (entry,) = json.loads(run_script("predict_custom.py", tmp_path / "drawing.png", "--json", "-").stdout)
    assert entry["text"] == page.inner_text("#text") == "74"
    shown = [float(re.search(r"([\d.]+)%", card)[1]) for card in page.locator(".digit h3").all_inner_texts()]
    assert shown == pytest.approx([100 * min(digit["confidence"], 0.999) for digit in entry["digits"]], abs=0.051)
    assert set(json.loads(event.value.text)["digits"][0]) >= {"digit", "confidence", "box", "probabilities", "crop"}


def test_an_upload_is_read_and_shown(open_page):
    page = open_page()
    page.set_input_files("#file", SEVEN)
    wait_for(page, "7")
    draw(page, FOUR_STROKES)  # on top of a picture: it makes way
    wait_for(page, "4")


def test_a_picture_can_be_dropped_and_pasted(open_page):
    page = open_page()
    handover = """([numbers, kind]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(numbers)], "a.jpg", {type: "image/jpeg"}));
        const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
                                      : new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
        document.getElementById("frame").dispatchEvent(event);
    }"""
    page.evaluate(handover, [list(SEVEN.read_bytes()), "drop"])
    wait_for(page, "7")
    page.click("#clear")
    wait_for(page, "", "Draw a digit")
    page.evaluate(handover, [list((PROJECT / "custom_digits/5/ballpen_photo.jpg").read_bytes()), "paste"])
    wait_for(page, "5")


def test_the_camera_is_read_live(open_page):
    page = open_page()
    page.click("#camera")
    wait_for(page, "7")
    wait_for(page, "5")
    page.click("#camera")
    wait_for(page, "", "Draw a digit")
    assert page.locator("#video").is_hidden()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.png", b"no picture at all", "not a picture"),
        ("huge.png", bytes(LARGEST + 1), "too large"),
        ("cut.jpg", SEVEN.read_bytes()[:2000], "not a picture"),
        ("bomb.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x00\x00\x00\x01\x00\x00\x08\x00\x00\x00\x00" + b"\x00" * 60, "t"),
    ],
)  # fmt: skip
def test_a_bad_upload_gets_a_sentence_and_the_page_stays_up(open_page, kept, tmp_path, name, content, says):
    before = sorted(kept.rglob("*"))
    (tmp_path / name).write_bytes(content)
    page = open_page()
    page.set_input_files("#file", tmp_path / name)
    page.wait_for_function(
        "says => document.getElementById('answer').className === 'error' && document.getElementById('status').textContent.includes(says)",
        arg=says,
    )
    page.click("#clear")
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    assert sorted(kept.rglob("*")) == before, "an upload was written to the disk"


def test_a_correction_keeps_the_picture_and_never_overwrites(open_page, kept, run_script):
    page = open_page()
    for strokes in ([], SEVEN_STROKES, SEVEN_STROKES + FOUR_STROKES):
        page.click("#clear")
        draw(page, strokes)
        wait_for(page, "7" if len(strokes) == 2 else "74" if strokes else "")
        page.wait_for_timeout(300)
        page.fill("#label", "7")
        page.press("#label", "Enter")
        page.wait_for_function("() => document.getElementById('kept').textContent !== ''")
        said = page.inner_text("#kept")
        assert ("Kept as" in said) == bool(strokes), said
        page.evaluate("document.getElementById('kept').textContent = ''")
    made = sorted(path for path in (kept / "7").iterdir() if path.name != "an example.jpg")
    assert len(made) == 2
    entries = json.loads(run_script("predict_custom.py", *made, "--json", "-").stdout)
    assert sorted(entry["text"] for entry in entries) == ["7", "74"]


def test_only_what_is_shown_can_be_kept(open_page, kept):
    before, page, held = sorted(kept.rglob("*")), open_page(), []
    page.route("**/read*", lambda route: held.append(route))  # the answer lets itself be waited for
    draw(page, SEVEN_STROKES)
    page.wait_for_function("() => reading")
    page.click("#clear")
    for route in held:
        route.continue_()
    page.unroute("**/read*")
    page.wait_for_function("() => !reading")
    page.fill("#label", "7")
    page.press("#label", "Enter")
    page.wait_for_function("() => document.getElementById('kept').textContent.startsWith('There is nothing to keep')")

    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    page.wait_for_function("() => !reading && last")
    page.route("**/read*", lambda route: None)  # the answer to the upload never comes
    page.set_input_files("#file", PROJECT / "custom_digits/5/ballpen_photo.jpg")
    page.press("#label", "Enter")
    page.wait_for_function("() => document.getElementById('kept').textContent.startsWith('There is nothing to keep')")
    assert sorted(kept.rglob("*")) == before


def test_a_camera_that_comes_too_late_is_switched_off(open_page):
    page = open_page()
    page.evaluate("""() => {
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.granted = [];
        navigator.mediaDevices.getUserMedia = async (wish) => {
            await new Promise((resolve) => setTimeout(resolve, 300));
            const given = await ask(wish);
            granted.push(given);
            return given;
        };
    }""")
    page.click("#camera")
    page.click("#camera")
    page.set_input_files("#file", SEVEN)
    page.wait_for_function("() => granted.length === 2")
    page.wait_for_timeout(300)
    wait_for(page, "7")
    assert page.locator("#video").is_hidden()
    assert page.evaluate("granted.flatMap((stream) => stream.getTracks()).every((track) => track.readyState === 'ended')")


def test_dark_mode_is_dark(open_page):
    light, dark = (
        open_page(color_scheme=scheme).evaluate(
            "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        )
        for scheme in ("light", "dark")
    )
    assert sum(light) > 600 and sum(dark) < 150


def test_on_a_phone_the_answer_is_in_sight(open_page):
    page = open_page(viewport={"width": 390, "height": 664}, has_touch=True, device_scale_factor=3)
    draw(page, SEVEN_STROKES)
    wait_for(page, "7")
    text, drawing = page.locator("#text").bounding_box(), page.locator("#drawing").bounding_box()
    assert text["y"] >= 0 and drawing["y"] + drawing["height"] < 664
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, "it scrolls sideways"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_drawing_stays_where_it_is_whatever_is_read(open_page, width):
    page = open_page(viewport={"width": width, "height": 900})
    before = page.locator("#drawing").bounding_box()
    assert page.evaluate("() => document.querySelector('header').scrollHeight <= document.querySelector('header').clientHeight")
    for text, status, message in (
        ("73|7", "unsure", ""),
        ("12345678901234567890|12345678901234567890", "unsure", ""),
        ("", "error", "it is not a picture that can be read (in none of the known formats), or it has too many pixels"),
    ):
        page.evaluate("([text, status, message]) => show({ text, status, message, digits: [] })", [text, status, message])
        assert page.locator("#drawing").bounding_box() == before
        assert page.evaluate(
            "() => { const header = document.querySelector('header');"
            " return header.scrollWidth <= header.clientWidth && header.scrollHeight <= header.clientHeight }"
        ), f"{text}{message} is cut off"


def test_it_works_by_keyboard_and_speaks(open_page):
    page = open_page()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.title") == "7/an example.jpg":
            break
    page.keyboard.press("Enter")
    wait_for(page, "7")
    page.wait_for_function("() => document.getElementById('announcement').textContent === '7'")
    unnamed = "() => [...document.querySelectorAll('button, input:not([hidden])')].filter(e => !(e.textContent.trim() || e.labels?.length || e.querySelector('img[alt]'))).length"
    assert page.evaluate(unnamed) == 0


# ---- without a browser -----------------------------------------------------------------------------------------


def request(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def test_other_sites_can_not_send_here(port, kept):
    before, picture, own = sorted(kept.rglob("*")), SEVEN.read_bytes(), f"http://127.0.0.1:{port}"
    assert request(port, "POST", "/read", picture, Origin=own)[0] == 200
    for headers in ({}, {"Origin": "https://example.org"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{port + 1}"}):
        assert request(port, "POST", "/keep?label=7&suffix=.jpg", picture, **headers)[0] == 403
    # A site whose name was made to point here has its own origin.
    assert request(port, "POST", "/read", picture, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}")[0] == 421
    assert request(port, "GET", "/", Host=f"evil.example:{port}")[0] == 421
    assert request(port, "GET", "/", Host=f"localhost:{port}")[0] == 200
    assert sorted(kept.rglob("*")) == before


def test_the_policy_allows_nothing_from_elsewhere(port):
    status, headers, body = request(port, "GET", "/")
    policy = headers["content-security-policy"]
    assert status == 200 and policy.startswith("default-src 'none'") and "http" not in policy and "unsafe" not in policy
    assert b"http://" not in body and b"https://" not in body


@pytest.mark.parametrize("path", ["/examples/..%2f..%2fREADME.md", "/examples/../../README.md", "/server.py", "/examples/7"])
def test_nothing_else_is_served(port, path):
    assert request(port, "GET", path)[0] == 404
    assert request(port, "GET", path.replace("examples", "thumbnails"))[0] == 404


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there, names are always Unicode")
def test_a_name_that_no_page_can_say_hides_nothing_else(port, kept):
    odd = [Path(os.fsdecode(os.fsencode(kept / "7") + b"/caf\xe9.jpg")), kept / "7" / "gone.jpg"]
    shutil.copy(SEVEN, odd[0])
    odd[1].symlink_to(kept / "nowhere.jpg")
    try:
        status, _, body = request(port, "GET", "/examples")
        assert status == 200 and "7/an example.jpg" in json.loads(body)
        assert not [name for name in json.loads(body) if "caf" in name or "gone" in name]
    finally:
        for path in odd:
            path.unlink()


def test_thumbnails_are_small_and_upright(port):
    status, _, body = request(port, "GET", "/thumbnails/7/an%20example.jpg")
    with Image.open(io.BytesIO(body)) as thumbnail:
        assert status == 200 and thumbnail.format == "PNG" and max(thumbnail.size) <= 300


@pytest.mark.parametrize(
    ("query", "status"),
    [("label=seven&suffix=.jpg", 400), ("label=7&suffix=.exe", 400), ("label=..&suffix=.jpg", 400), ("label=7", 422)],
)
def test_only_digits_and_pictures_are_kept(port, kept, query, status):
    before = sorted(kept.rglob("*"))
    assert request(port, "POST", f"/keep?{query}", SEVEN.read_bytes(), Origin=f"http://127.0.0.1:{port}")[0] == status
    assert request(port, "POST", "/keep?label=7&suffix=.jpg", b"junk", Origin=f"http://127.0.0.1:{port}")[0] == 415
    assert sorted(kept.rglob("*")) == before


def test_the_script_says_where_it_is_and_ends_with_ctrl_c():
    process = subprocess.Popen(
        [sys.executable, PROJECT / "draw_digits.py", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "BROWSER": "true"},
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    process.stdout.readline()
    port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
    assert request(port, "GET", "/")[0] == 200
    taken = subprocess.run(
        [sys.executable, PROJECT / "draw_digits.py", "--port", str(port)], capture_output=True, text=True, timeout=60
    )
    assert taken.returncode == 2 and "--port" in taken.stderr and "Traceback" not in taken.stderr
    # Somebody goes away in the middle of an upload, somebody else hangs.
    for going in (True, False):
        upload = socket.create_connection(("127.0.0.1", port))
        upload.sendall(
            f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nContent-Length: 999\r\n\r\nx".encode()
        )
        if going:
            upload.close()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=30)
    assert process.returncode == 130
    assert problems.strip() == "Interrupted."


@pytest.mark.parametrize("host", ["::", "localhost"])
def test_the_address_that_is_printed_works(host):
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    process = subprocess.Popen(
        [sys.executable, PROJECT / "draw_digits.py", "--port", "0", "--host", host],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "BROWSER": "true"},
    )  # fmt: skip
    try:
        process.stdout.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        assert request(port, "GET", "/")[0] == 200
    finally:
        process.kill()


def test_answers_leave_at_once():
    # asyncio sees to this for the sockets that it opens itself alone: others cost every answer 40 ms.
    from draw_digits import listen

    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_ten_people_at_once_get_their_own_answers(port):
    """No answer is lost or swapped."""
    pictures = {path.parent.name: path.read_bytes() for path in sorted((PROJECT / "custom_digits").glob("[0-9]/*.png"))}
    wrong = []

    def ask(label, times=10):
        for _ in range(times):
            status, _, body = request(port, "POST", "/read", pictures[label], Origin=f"http://127.0.0.1:{port}")
            answer = json.loads(body)
            if status != 200 or answer["text"] != label:
                wrong.append((label, status, answer.get("text")))

    people = [threading.Thread(target=ask, args=(label,)) for label in pictures]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(pictures) >= 9 and not wrong
