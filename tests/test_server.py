"""The server without a browser: what it answers over HTTP, what it refuses, and draw_digits.py around it."""

import base64
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
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from answers import reading
from conftest import PROJECT, heed_ctrl_c
from PIL import Image

import draw_digits
from digits.common.config import MAX_TEXT_LENGTH
from digits.data.labelled_folder import labelled_images
from digits.reading.form import Field, Form
from digits.reading.reader import Reader
from digits.web import examples, form_store, server
from digits.web.examples import find_example, list_examples
from digits.web.form_store import FormStore
from digits.web.responses import ReadResponse

SEVEN = PROJECT / "custom_digits" / "7" / "barred_ballpen_photo.jpg"
FORTY_TWO = PROJECT / "custom_digits" / "42" / "phone.jpg"
EXAMPLE = "7/an example.jpg"
MAX_WAIT = 120  # seconds for an answer, on a machine with other work
TRAVERSALS = [
    "../secret.png",
    "7/../../secret.png",
    "..",
    "7/..",
    "/etc/passwd",
    "//host/share/x.png",
    "../examples/../secret.png",
]


def request(port, method, path, body=None, **headers):
    """Return (status, headers with names in lower case, body) of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_WAIT)
    connection.request(method, path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@pytest.fixture
def ask(page_server):
    """A function that sends a request as the page does and returns (status, headers, body)."""
    return lambda method, path, body=None: request(
        page_server.port, method, path, body, Origin=f"http://127.0.0.1:{page_server.port}"
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with the example, and an image and a text beside the folder, which must not be reached."""
    folder = tmp_path / "examples"
    (folder / "7").mkdir(parents=True)
    for path in (folder / EXAMPLE, tmp_path / "secret.png"):
        shutil.copy(SEVEN, path)
    (folder / "labels.csv").write_text("file,label\n")
    return folder


# ---- the answers -----------------------------------------------------------------------------------------------


def test_read_answers_with_the_documented_keys(ask):
    status, _, body = ask("POST", "/read?preview=1", SEVEN.read_bytes())
    answer = json.loads(body)
    assert (status, answer["status"], answer["text"], answer["message"]) == (200, "ok", "7", "")
    assert list(answer) == ["status", "text", "message", "digits", "marks", "preview"]
    (digit,) = answer["digits"]
    assert list(digit) == ["digit", "confidence", "box", "probabilities", "crop"]
    assert answer["marks"] == []
    assert digit["digit"] == np.argmax(digit["probabilities"]) == 7
    assert digit["confidence"] == max(digit["probabilities"]) and sum(digit["probabilities"]) == pytest.approx(1, abs=0.001)
    with Image.open(SEVEN) as image:
        x, y, width, height = digit["box"]
        assert answer["preview"]["width"] == image.width
        assert 0 <= x < x + width <= image.width and 0 <= y < y + height <= image.height


def test_a_mark_is_answered_with_the_documented_keys():
    response = ReadResponse.from_reading(reading("-7"), with_preview=False)
    expected = {"mark": "-", "row": 0, "after": 0, "confidence": 0.9, "box": [40, 40, 6, 8]}
    assert json.loads(response.model_dump_json())["marks"] == [expected]


def test_read_without_preview_sends_none(ask):
    assert "preview" not in json.loads(ask("POST", "/read", SEVEN.read_bytes())[2])


def test_read_says_of_a_damaged_image_that_it_is_an_error(ask):
    status, _, body = ask("POST", "/read?preview=1", b"no image")
    answer = json.loads(body)
    assert status == 200 and answer["status"] == "error" and answer["message"]
    assert answer["digits"] == [] and answer["text"] == "" and "preview" not in answer


def test_read_applies_the_pattern_in_expect(ask):
    for expect, status, message in (("", "ok", ""), ("1", "ok", ""), (quote("#.#"), "unsure", "does not fit #.#")):
        answer = json.loads(ask("POST", f"/read?expect={expect}", SEVEN.read_bytes())[2])
        assert (answer["status"], answer["text"], answer["message"]) == (status, "7", message)


def scan(format):
    """The bytes of a file of two pages: a 42 and a 7."""
    file, (first, second) = io.BytesIO(), (Image.open(path).convert("RGB") for path in (FORTY_TWO, SEVEN))
    first.save(file, format, save_all=True, append_images=[second])
    return file.getvalue()


@pytest.mark.parametrize("format", ["PDF", "TIFF"])
def test_a_page_is_read_and_the_answer_says_how_many_there_are(ask, format):
    for parameters, text in (("", "42"), ("?page=1", "42"), ("?page=2&preview=1", "7")):
        answer = json.loads(ask("POST", f"/read{parameters}", scan(format))[2])
        assert (answer["status"], answer["text"], answer["pages"]) == ("ok", text, 2)
    answer = json.loads(ask("POST", "/read?page=3", scan(format))[2])
    assert (answer["status"], answer["message"], answer["pages"]) == ("error", "it has 2 pages, and no page 3", 2)


def test_keep_refuses_a_file_with_several_pages(ask):
    status, _, body = ask("POST", "/keep?label=42&suffix=.pdf", scan("PDF"))
    assert status == 415 and json.loads(body)["message"].startswith("This was not kept: it has several pages")


def test_keep_writes_the_image_under_its_label(ask, page_server):
    status, _, body = ask("POST", "/keep?label=42&suffix=.jpg", SEVEN.read_bytes())
    (path,) = (page_server.folder / "42").iterdir()
    assert status == 200 and json.loads(body) == {"message": f"Kept as {path}."}
    assert path.read_bytes() == SEVEN.read_bytes()
    shutil.rmtree(page_server.folder / "42")


def test_keep_writes_an_image_whose_label_is_no_folders_name_with_a_line_in_labels_csv(ask, page_server):
    status, _, body = ask("POST", f"/keep?label={quote('12/05/2024', safe='')}&suffix=.jpg", SEVEN.read_bytes())
    kept = page_server.folder / "kept"
    (path,) = kept.glob("*.jpg")
    assert status == 200 and json.loads(body) == {"message": f"Kept as {path}."}
    assert path.read_bytes() == SEVEN.read_bytes() and (path, "12/05/2024") in labelled_images(page_server.folder)[0]
    shutil.rmtree(kept)


def test_examples_are_listed_and_sent_as_they_are(ask, page_server):
    status, _, body = ask("GET", "/examples")
    assert status == 200 and EXAMPLE in json.loads(body)
    status, headers, body = ask("GET", f"/examples/{quote(EXAMPLE)}")
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    assert body == (page_server.folder / EXAMPLE).read_bytes()


def test_thumbnails_are_small_png_files(ask):
    status, headers, body = ask("GET", f"/thumbnails/{quote(EXAMPLE)}")
    with Image.open(io.BytesIO(body)) as thumbnail:
        assert (status, headers["content-type"], thumbnail.format) == (200, "image/png", "PNG")
        assert max(thumbnail.size) <= 300


def test_thumbnails_and_examples_do_not_list_the_folder(ask, monkeypatch):
    monkeypatch.setattr(examples, "images_in", lambda folder: pytest.fail("the folder is listed"))
    assert ask("GET", f"/thumbnails/{quote(EXAMPLE)}")[0] == 200
    assert ask("GET", f"/examples/{quote(EXAMPLE)}")[0] == 200


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        *((path, "text/html") for path in ("/", "/forms.html")),
        *((path, "text/javascript") for path in ("/page.js", "/forms.js", "/common.js")),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_the_files_of_the_page_are_served(ask, path, content_type):
    status, headers, _ = ask("GET", path)
    assert status == 200 and headers["content-type"].startswith(content_type)


# ---- forms -----------------------------------------------------------------------------------------------------

HEADER = "name,x,y,width,height,expect\n"


def fields_csv(fields):
    """The content of fields.csv."""
    return HEADER + "".join(f"{field.name},{field.x},{field.y},{field.width},{field.height},\n" for field in fields)


def file_of(pixels, format="PNG"):
    """The content of an image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def form_body(fields, reference=b"", page=1):
    """The body of a request to /forms."""
    return json.dumps({"fields": fields, "reference": base64.b64encode(reference).decode(), "page": page})


def add_form(ask, *arguments):
    """Send a form and return its id."""
    status, _, body = ask("POST", "/forms", form_body(*arguments))
    assert status == 200, body
    return json.loads(body)["form"]


def pixels_of(base64_text):
    """The pixels of an image that was sent as base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(base64_text))))


def test_a_sheet_is_shown_upright_at_most_1600_pixels_high(ask, composed_sheet):
    status, _, body = ask("POST", "/sheet", file_of(composed_sheet.page))
    answer = json.loads(body)
    assert (status, list(answer), answer["pages"]) == (200, ["jpeg", "pages"], 1)
    assert pixels_of(answer["jpeg"]).shape == (1600, 1131, 3)
    answer = json.loads(ask("POST", "/sheet?page=2", scan("PDF"))[2])
    shown, seven = pixels_of(answer["jpeg"]), Image.open(SEVEN)
    assert answer["pages"] == 2 and shown.shape[1] / shown.shape[0] == pytest.approx(seven.width / seven.height, abs=0.01)


def test_a_form_is_answered_with_its_fields_and_an_id_of_its_own(ask):
    text = "x,y,name,height,width,expect\n0.1,0.2,sum,0.05,0.3,##.##\n"
    answers = [json.loads(ask("POST", "/forms", form_body(text))[2]) for _ in range(2)]
    expected = [{"name": "sum", "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.05, "expect": "##.##"}]
    assert [list(answer) for answer in answers] == [["form", "fields"]] * 2
    assert [answer["fields"] for answer in answers] == [expected] * 2
    assert answers[0]["form"] != answers[1]["form"]


def test_the_fields_of_a_sheet_are_read_as_the_scripts_read_them(ask, composed_sheet):
    sheet = composed_sheet
    form = add_form(ask, fields_csv(sheet.fields))
    status, _, body = ask("POST", f"/read_form?form={form}", file_of(sheet.page))
    answer = json.loads(body)
    assert (status, list(answer)) == (200, ["status", "message", "fields"])
    read = Form(sheet.fields).read(Reader(), sheet.page)
    assert (answer["status"], answer["message"]) == (read.status, read.message)
    of_fields = [(name, field.status, field.text, field.message) for name, field in read.fields.items()]
    assert [(one["name"], one["status"], one["text"], one["message"]) for one in answer["fields"]] == of_fields
    assert [one["text"] for one in answer["fields"]] == sheet.labels
    *filled, empty = answer["fields"]
    assert all(list(one) == ["name", "status", "text", "message", "cut", "written"] for one in filled)
    assert list(empty) == ["name", "status", "text", "message", "cut"]
    for one, field in zip(filled, read.fields.values(), strict=False):
        for key, pixels in (("cut", field.cut), ("written", field.written)):
            sent = pixels_of(one[key]).astype(int)
            assert sent.shape == pixels.shape and np.abs(sent - pixels).mean() < 2


def test_a_photograph_is_aligned_to_the_reference(ask, composed_sheet):
    sheet = composed_sheet
    form = add_form(ask, fields_csv(sheet.fields), file_of(sheet.blank))
    answer = json.loads(ask("POST", f"/read_form?form={form}", file_of(sheet.photo, "JPEG"))[2])
    assert [one["text"] for one in answer["fields"]] == sheet.labels
    answer = json.loads(ask("POST", f"/read_form?form={form}", SEVEN.read_bytes())[2])
    assert answer["status"] == "unsure" and answer["message"].startswith("it could not be aligned")
    assert [list(one) for one in answer["fields"]] == [["name", "status", "text", "message"]] * 5


def test_a_page_of_a_file_can_be_sheet_and_reference(ask, composed_sheet):
    sheet, file = composed_sheet, io.BytesIO()
    pages = [Image.fromarray(pixels) for pixels in (sheet.blank, sheet.page)]
    Image.open(SEVEN).convert("L").save(file, "PDF", save_all=True, append_images=pages, resolution=200)
    form = add_form(ask, fields_csv(sheet.fields[:1]), file.getvalue(), 2)
    answer = json.loads(ask("POST", f"/read_form?form={form}&page=3", file.getvalue())[2])
    assert (answer["fields"][0]["text"], answer["pages"]) == (sheet.labels[0], 3)


def test_a_sheet_that_can_not_be_read_is_an_error_and_not_a_refusal(ask):
    form = add_form(ask, f"{HEADER}a,0,0,1,1,\n")
    status, _, body = ask("POST", f"/read_form?form={form}", b"no image")
    answer = json.loads(body)
    assert (status, answer["status"]) == (200, "error") and "not an image" in answer["message"]
    assert answer["fields"] == [{"name": "a", "status": "error", "text": "", "message": ""}]


def test_a_wrong_form_is_refused_with_the_line(ask):
    status, _, body = ask("POST", "/forms", form_body(f"{HEADER}a,0,0,1,1,\na,0,0,1,1,\n"))
    message = json.loads(body)["message"]
    assert status == 400 and message.startswith("fields.csv, line 3: the name 'a' stands there a second time")
    many = "".join(f"{i},0,0,1,1,\n" for i in range(server.MAX_FIELDS + 1))
    status, _, body = ask("POST", "/forms", form_body(HEADER + many))
    assert status == 400 and json.loads(body)["message"] == "The form has 201 fields.\nExpected at most 200."
    for reference in ("?", "é"):
        body = json.dumps({"fields": f"{HEADER}a,0,0,1,1,\n", "reference": reference})
        status, _, body = ask("POST", "/forms", body.encode())
        assert status == 422 and "it is not base64" in json.loads(body)["message"]
    status, _, body = ask("POST", "/forms", form_body(f"{HEADER}a,0,0,1,1,\n", file_of(np.full((100, 80), 255, np.uint8))))
    assert status == 400 and json.loads(body)["message"].startswith("The reference can't be used: it has 0 features")


def test_only_the_latest_forms_are_remembered(monkeypatch):
    monkeypatch.setattr(form_store, "MAX_FORMS", 2)
    store, forms = FormStore(), [Form((Field("a", 0, 0, 1, 1),)) for _ in range(3)]
    ids = [store.add(form) for form in forms[:2]]
    assert store.find(ids[0]) is forms[0]  # used later than the other
    ids.append(store.add(forms[2]))
    assert [store.find(form_id) for form_id in ids] == [forms[0], None, forms[2]]


def test_several_people_get_the_answers_for_their_own_forms(ask, composed_sheet):
    sheet, image = composed_sheet, file_of(composed_sheet.page)

    def answers_for(number):
        form = add_form(ask, fields_csv(sheet.fields[number : number + 1]))
        answers = [json.loads(ask("POST", f"/read_form?form={form}", image)[2])["fields"] for _ in range(2)]
        return [(field["name"], field["text"]) for fields in answers for field in fields]

    with ThreadPoolExecutor(len(sheet.fields)) as people:
        answers = list(people.map(answers_for, range(len(sheet.fields))))
    assert answers == [[(field.name, label)] * 2 for field, label in zip(sheet.fields, sheet.labels, strict=True)]


# ---- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/server.py", None, 404),
        ("GET", "/../server.py", None, 404),
        ("GET", "/examples/nothing.png", None, 404),
        ("POST", "/examples", b"x", 405),
        ("POST", "/read", b"", 400),
        ("POST", "/read?preview=perhaps", b"x", 422),
        ("POST", "/read?expect=seven", SEVEN.read_bytes(), 400),
        ("POST", "/read?expect=0", SEVEN.read_bytes(), 400),
        ("POST", "/read?page=0", SEVEN.read_bytes(), 422),
        ("POST", "/sheet", b"", 400),
        ("POST", "/sheet", b"no image", 415),
        ("POST", "/sheet?page=0", SEVEN.read_bytes(), 422),
        ("POST", "/forms", b"", 400),
        ("POST", "/forms", b"no JSON", 422),
        ("POST", "/forms", b'{"reference": ""}', 422),
        ("POST", "/forms", b'{"fields": 7}', 422),
        ("POST", "/forms", b'{"fields": "\\ud800"}', 422),
        ("POST", "/forms", b'{"fields": ""}', 400),
        ("POST", "/forms", form_body(f"{HEADER}a,0,0,1,1,\n", b"no image"), 400),
        ("POST", "/forms", form_body(f"{HEADER}a,0,0,1,1,\n", SEVEN.read_bytes(), 0), 422),
        ("POST", "/forms", form_body(f"{HEADER}a,0,0,1,1,\n").replace('""', '"?"'), 422),
        ("POST", "/read_form", SEVEN.read_bytes(), 422),
        ("POST", "/read_form?form=unknown", SEVEN.read_bytes(), 404),
        ("POST", "/read_form?form=unknown", b"", 400),
        ("POST", "/keep?label=7", SEVEN.read_bytes(), 422),
        ("POST", "/keep?label=seven&suffix=.jpg", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=7&suffix=.exe", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=..&suffix=.jpg", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=..%2f7&suffix=.jpg", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=7%2f..&suffix=.jpg", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=-&suffix=.jpg", SEVEN.read_bytes(), 400),
        ("POST", "/keep?label=7&suffix=.jpg", b"no image", 415),
    ],
)  # fmt: skip
def test_a_refusal_has_a_message_and_the_security_headers_and_keeps_nothing(ask, page_server, method, path, body, status):
    before = sorted(page_server.folder.rglob("*"))
    answered, headers, answer = ask(method, path, body)
    assert answered == status
    assert list(json.loads(answer)) == ["message"] and json.loads(answer)["message"]
    assert headers.items() >= {name.lower(): value for name, value in server.SECURITY_HEADERS.items()}.items()
    assert sorted(page_server.folder.rglob("*")) == before


def test_a_body_that_is_too_large_is_refused(ask, monkeypatch):
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1_000_000)
    for path in ("/read", "/sheet", "/forms", "/read_form?form=x"):
        status, _, body = ask("POST", path, bytes(1_000_001))
        assert status == 413 and json.loads(body) == {"message": "This file is too large: at most 1 million bytes are read."}
    assert ask("POST", "/read", bytes(1_000_000))[0] == 200


def test_a_body_without_a_declared_length_is_refused_as_soon_as_it_is_too_large(ask, monkeypatch):
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1_000_000)
    assert ask("POST", "/read", (bytes(100_000) for _ in range(11)))[0] == 413  # sent in chunks


def test_an_error_of_our_own_has_a_message_and_the_security_headers(ask, monkeypatch, caplog):
    monkeypatch.setattr(server, "load_image", lambda path: 1 / 0)
    status, headers, body = ask("GET", f"/thumbnails/{quote(EXAMPLE)}")
    assert status == 500 and "error" in json.loads(body)["message"]
    assert headers["content-security-policy"] and "ZeroDivisionError" in caplog.text


def test_a_damaged_example_has_no_thumbnail(ask, page_server):
    path = page_server.folder / "damaged.png"
    path.write_bytes(b"no image")
    try:
        status, _, body = ask("GET", "/thumbnails/damaged.png")
        assert status == 415 and json.loads(body)["message"]
    finally:
        path.unlink()


def test_other_sites_can_not_send_here(page_server):
    before, image, port = sorted(page_server.folder.rglob("*")), SEVEN.read_bytes(), page_server.port
    assert request(port, "POST", "/read", image, Origin=f"http://127.0.0.1:{port}")[0] == 200
    for path in ("/sheet", "/forms", "/read_form?form=x"):
        assert request(port, "POST", path, image, Origin="https://example.org")[0] == 403
    for headers in ({}, {"Origin": "https://example.org"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{port + 1}"}):
        status, answered, body = request(port, "POST", "/keep?label=7&suffix=.jpg", image, **headers)
        assert status == 403 and json.loads(body)["message"] and answered["content-security-policy"]
    # A site whose name was made to point here has its own origin.
    assert request(port, "POST", "/read", image, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}")[0] == 421
    assert request(port, "GET", "/", Host=f"evil.example:{port}")[0] == 421
    assert request(port, "GET", "/", Host=f"localhost:{port}")[0] == 200
    assert sorted(page_server.folder.rglob("*")) == before


def test_the_policy_allows_nothing_from_elsewhere(ask):
    status, headers, body = ask("GET", "/")
    policy = headers["content-security-policy"]
    assert status == 200 and policy.startswith("default-src 'none'") and "http" not in policy and "unsafe" not in policy
    assert b"http://" not in body and b"https://" not in body


# ---- names of examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRAVERSALS, "7", "", ".", "labels.csv", "7/nothing.png", "7/\0.png", f"{'x' * 5000}.png"])
def test_a_name_that_is_not_of_an_image_in_the_folder_is_not_found(folder, name):
    assert find_example(folder, name) is None


@pytest.mark.parametrize("kind", ["examples", "thumbnails"])
@pytest.mark.parametrize("name", [*TRAVERSALS, "..%2f..%2fREADME.md", "..%5c..%5csecret.png", "%2e%2e/secret.png", "7/%00.png"])
def test_no_address_leads_out_of_the_folder(ask, page_server, kind, name):
    secret = page_server.folder.parent / "secret.png"
    shutil.copy(SEVEN, secret)
    try:
        assert ask("GET", f"/{kind}/{name}")[0] == 404
    finally:
        secret.unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="there, links need a privilege")
def test_links_are_followed_inside_the_folder_and_not_out_of_it(folder):
    (folder / "inside.jpg").symlink_to(folder / EXAMPLE)
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    (folder / "parent").symlink_to(folder.parent)
    (folder / "broken.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    for root in (folder, linked):  # the folder itself may lie elsewhere
        assert list_examples(root) == [EXAMPLE, "inside.jpg"]
        for name in ("out.png", "parent/secret.png", "broken.jpg", "circle.jpg"):
            assert find_example(root, name) is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there, names are always Unicode")
def test_a_name_that_is_not_unicode_does_not_hide_other_examples(folder):
    shutil.copy(SEVEN, Path(os.fsdecode(os.fsencode(folder / "7") + b"/caf\xe9.jpg")))
    assert list_examples(folder) == [EXAMPLE]


def test_odd_names_can_be_listed_and_found(folder):
    names = ["a b%20c.png", "é 7#?.PNG", "..hidden..png", "日本.jpg", "7&x='\".webp"]
    for name in names:
        shutil.copy(SEVEN, folder / name)
    assert set(list_examples(folder)) == {EXAMPLE, *names}
    assert all(find_example(folder, name) == folder / name for name in names)


def test_a_folder_that_does_not_exist_has_no_examples(tmp_path):
    assert list_examples(tmp_path / "nowhere") == []


# ---- several people --------------------------------------------------------------------------------------------


def test_ten_people_at_once_get_their_own_answers(ask):
    images = {path.parent.name: path.read_bytes() for path in sorted((PROJECT / "custom_digits").glob("[0-9]/*.png"))}

    def answers_for(label):
        return [ask("POST", "/read", images[label]) for _ in range(3)]

    with ThreadPoolExecutor(len(images)) as people:
        answers = dict(zip(images, people.map(answers_for, images), strict=True))
    assert len(images) >= 9
    for label, responses in answers.items():
        assert [(status, json.loads(body)["text"]) for status, _, body in responses] == [(200, label)] * 3


# ---- draw_digits.py --------------------------------------------------------------------------------------------


def test_the_script_prints_its_address_and_ends_with_ctrl_c(call_script):
    process = subprocess.Popen(
        [sys.executable, PROJECT / "draw_digits.py", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "BROWSER": "true"},
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    assert [process.stdout.readline().partition(":")[0] for _ in range(3)] == ["model", "number reader", "line reader"]
    port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
    assert request(port, "GET", "/")[0] == 200
    taken = call_script("draw_digits.py", "--port", port)
    assert taken.returncode == 2 and "--port" in taken.stderr and "Traceback" not in taken.stderr
    # One client disconnects in the middle of an upload, another one never finishes it.
    for disconnects in (True, False):
        upload = socket.create_connection(("127.0.0.1", port))
        upload.sendall(
            f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            "Content-Length: 999\r\n\r\nx".encode()
        )
        if disconnects:
            upload.close()
    time.sleep(0.3)  # until the server has seen both
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=30)
    assert process.returncode == 130
    assert problems.strip() == "Interrupted."


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0", "localhost", "::", "::1"])
def test_the_addresses_that_are_printed_can_be_reached(host):
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with draw_digits.listen(host, 0) as listening:
        own = listening.getsockname()[:2]
        for address in {draw_digits.local_address(*own), draw_digits.network_address(*own)}:
            reached, port = re.fullmatch(r"http://\[?([^]]*?)\]?:(\d+)", address).groups()
            socket.create_connection((reached, int(port)), timeout=10).close()


def test_on_a_network_the_script_says_who_can_use_the_page(call_script, monkeypatch):
    monkeypatch.setattr(draw_digits.uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(draw_digits.webbrowser, "open", lambda address: None)
    own, network = (call_script("draw_digits.py", "--port", "0", "--host", host) for host in ("127.0.0.1", "0.0.0.0"))
    assert own.returncode == network.returncode == 0
    assert "phone:" not in own.stdout and own.stderr == ""
    assert "phone: http://" in network.stdout and "Everybody on this network" in network.stderr


def test_the_script_says_how_a_tutorials_model_takes_its_images(call_script, monkeypatch, tutorial_network, tmp_path):
    monkeypatch.setattr(draw_digits.uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(draw_digits.webbrowser, "open", lambda address: None)
    own = tutorial_network.save(tmp_path / "own.tflite")
    result = call_script("draw_digits.py", "--port", "0", "--model", own)
    assert result.returncode == 0
    assert "\ninput: (784,), 0 to 1, white on black\noutput: logits\nestimated: input, " in result.stdout


def test_the_server_sends_small_answers_without_delay():
    # asyncio sets this only for sockets that it opens itself; without it, every answer takes 40 ms longer.
    with draw_digits.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_page_takes_labels_and_expectations_as_long_as_the_server_does():
    page = (PROJECT / "digits" / "web" / "page" / "index.html").read_text(encoding="utf-8")
    for field in ("expect", "label"):
        assert re.search(rf'<input id="{field}" [^>]*maxlength="(\d+)"', page)[1] == str(MAX_TEXT_LENGTH)
