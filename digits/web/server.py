"""The page's server: images that a browser sends -> the reader -> JSON; and the pages themselves.

It reads with the Reader that the scripts use. Only /keep writes to the disk. A request that is refused is answered with its
status code and {"message": a sentence for the page}.
"""

import base64
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from digits.common.config import CUSTOM_DIGITS_DIR, PROJECT
from digits.common.errors import UserError
from digits.data.kept_images import keep_image
from digits.reading.expectation import Expectation
from digits.reading.form import Form, parse_fields
from digits.reading.image import load_image
from digits.web.examples import find_example, list_examples
from digits.web.form_store import FormStore
from digits.web.reader_pool import ReaderPool
from digits.web.responses import FormResponse, Message, ReadFormResponse, ReadResponse, SheetResponse, encode_png

logger = logging.getLogger(__name__)

PAGE_DIR = Path(__file__).parent / "page"
MAX_BODY_BYTES = 25_000_000  # of an image or a form that is sent: twice the 12 million of a phone's largest photographs
MAX_FIELDS = 200  # of a form that is sent: they are read in half a minute, and a sheet has room for few more
SHEET_SIDE = 1600  # pixels of the longer side of a sheet that is shown: small print is then just legible
SECURITY_HEADERS = {
    # With this policy the browser itself prevents that the page loads anything from elsewhere or sends anything there.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


PageNumber = Annotated[int, Query(ge=1)]  # a parameter: of a PDF or TIFF file, from 1


class FormRequest(BaseModel):
    """The body of a request to /forms."""

    fields: str  # the content of a fields.csv
    reference: str = ""  # base64 of the file of a sheet to which others are aligned; "": they are not
    page: int = Field(1, ge=1)  # of that file


def create_app(readers: ReaderPool, folder: Path = CUSTOM_DIGITS_DIR) -> FastAPI:
    """Return the web application. folder: of the examples and of the images that are kept."""
    app = FastAPI(openapi_url=None)  # FastAPI's page about it would load scripts from another host
    app.middleware("http")(guard)
    app.exception_handler(StarletteHTTPException)(answer_refusal)
    app.exception_handler(RequestValidationError)(answer_wrong_parameters)
    app.exception_handler(ClientDisconnect)(answer_disconnected)
    # FastAPI runs what is not async in threads of its own, so that the event loop stays free to answer others.
    add_image_routes(app, readers, folder)
    add_form_routes(app, readers)
    add_example_routes(app, folder)
    app.mount("/", StaticFiles(directory=PAGE_DIR, html=True))  # the last one: it takes every other path
    return app


def add_image_routes(app: FastAPI, readers: ReaderPool, folder: Path) -> None:
    """Add what the page for drawing asks: to read an image, and to keep one in the folder."""

    @app.post("/read", response_model_exclude_none=True)
    def read(
        image: Annotated[bytes, Depends(request_body)],
        expect: Annotated[str | None, Depends(valid_expectation)],
        preview: bool = False,
        page: PageNumber = 1,
    ) -> ReadResponse:
        """Read the image; preview: send it back, too, upright and small."""
        return ReadResponse.from_reading(readers.read(image, expect, page), preview, readers.page_count(image))

    @app.post("/keep")
    def keep(image: Annotated[bytes, Depends(request_body)], label: str, suffix: str) -> Message:
        """Keep the image under this label."""
        if readers.page_count(image) > 1:
            raise HTTPException(
                415, "This was not kept: it has several pages. Save this one as a file of its own, and load that."
            )
        reading = readers.read(image)
        if reading.status == "error":
            raise HTTPException(415, f"This was not kept: {reading.message}.")
        try:
            path = keep_image(image, suffix, label, folder)
        except UserError as error:
            raise HTTPException(400, str(error)) from None
        return Message(message=f"Kept as {path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path}.")


def add_form_routes(app: FastAPI, readers: ReaderPool) -> None:
    """Add what the page for forms asks: to show a sheet, to take a form, and to read a sheet of it."""
    forms = FormStore()

    @app.post("/sheet")
    def sheet(image: Annotated[bytes, Depends(request_body)], page: PageNumber = 1) -> SheetResponse:
        """Send an image back upright, as a JPEG file: browsers can't show every format."""
        try:
            return SheetResponse.from_image(readers.load(image, page, SHEET_SIDE), readers.page_count(image))
        except UserError as error:
            raise HTTPException(415, str(error)) from None

    @app.post("/forms")
    def add_form(sent: Annotated[FormRequest, Depends(form_in_body)]) -> FormResponse:
        """Remember a form, for /read_form."""
        try:
            reference = base64.b64decode(sent.reference, validate=True)
        except ValueError:
            raise HTTPException(422, "reference: it is not base64") from None
        try:
            fields = parse_fields(sent.fields.encode())
            if len(fields) > MAX_FIELDS:
                raise UserError(f"The form has {len(fields)} fields.\nExpected at most {MAX_FIELDS}.")
            form = readers.make_form(fields, reference, sent.page) if reference else Form(fields)
        except UserError as error:
            raise HTTPException(400, str(error)) from None
        return FormResponse.from_fields(forms.add(form), fields)

    @app.post("/read_form", response_model_exclude_none=True)
    def read_form(image: Annotated[bytes, Depends(request_body)], form: str, page: PageNumber = 1) -> ReadFormResponse:
        """Read the fields of a sheet. form: the id that /forms gave."""
        known = forms.find(form)
        if known is None:
            raise HTTPException(404, "This form is not known, or no longer. Send it once more.")
        return ReadFormResponse.from_reading(readers.read_form(image, known, page), readers.page_count(image))


def add_example_routes(app: FastAPI, folder: Path) -> None:
    """Add what shows the images in the folder: their names, their files, and small versions."""

    @app.get("/examples")
    def examples() -> list[str]:
        """Return the names of the images in the folder."""
        return list_examples(folder)

    def path_of_example(name: str) -> Path:
        if path := find_example(folder, name):
            return path
        raise HTTPException(404, "There is no such example.")

    @app.get("/examples/{name:path}")
    def example(path: Annotated[Path, Depends(path_of_example)]) -> FileResponse:
        """Return the file of one of them."""
        return FileResponse(path, media_type="application/octet-stream")

    @app.get("/thumbnails/{name:path}")
    def thumbnail(path: Annotated[Path, Depends(path_of_example)]) -> Response:
        """Return one of them small and upright, as PNG, whatever its format."""
        try:
            image = load_image(path)
        except UserError as error:
            raise HTTPException(415, str(error)) from None
        return Response(encode_png(image.thumbnail()), media_type="image/png")


async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse requests from other sites, and give every answer the security headers, also after an error of our own."""
    response: Response
    try:
        check_origin(request)
        response = await call_next(request)
    except HTTPException as refusal:
        response = await answer_refusal(request, refusal)
    except Exception:
        logger.exception("%s %s failed", request.method, request.url.path)
        response = JSONResponse({"message": "The program has an error; its terminal shows which."}, 500)
    response.headers.update(SECURITY_HEADERS)
    return response


def check_origin(request: Request) -> None:
    """Raise HTTPException for a request that another site makes through a visitor's browser.

    Another site can make a browser send something here, but not under this page's origin. A name that it lets point to this
    machine (DNS rebinding) is neither an address in numbers nor localhost.
    """
    host = request.url.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host != "localhost":
            raise HTTPException(421, "This page is reached by its address in numbers, or as localhost.") from None
    own_origin = f"{request.url.scheme}://{request.url.netloc}"
    if request.method not in ("GET", "HEAD") and request.headers.get("origin") != own_origin:
        raise HTTPException(403, "Only the page itself may send images here.")


async def request_body(request: Request) -> bytes:
    """Return the request's body: the content of an image's file, or a form.

    Raises HTTPException where it is empty, and as soon as it is too large, whatever its header says of its length.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"This file is too large: at most {MAX_BODY_BYTES // 10**6} million bytes are read.")
    if not body:
        raise HTTPException(400, "There was nothing in this request.")
    return bytes(body)


def form_in_body(body: Annotated[bytes, Depends(request_body)]) -> FormRequest:
    """Return the form in a request's body. Raises HTTPException where the body holds none."""
    try:
        return FormRequest.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, _sentence(error.errors())) from None


def valid_expectation(expect: str = "") -> str | None:
    """Return what each text line is expected to hold, as in Reader.read; None for "". Raises HTTPException for a bad pattern."""
    if not expect:
        return None
    try:
        Expectation.parse(expect)
    except UserError as error:
        raise HTTPException(400, str(error)) from None
    return expect


async def answer_refusal(request: Request, refusal: StarletteHTTPException) -> Response:
    """Return the answer to a request that was refused, by us or by FastAPI."""
    return JSONResponse({"message": refusal.detail}, refusal.status_code, refusal.headers)


async def answer_wrong_parameters(request: Request, error: RequestValidationError) -> Response:
    """Return the answer to a request with a parameter that is missing or wrong."""
    return JSONResponse({"message": _sentence(error.errors())}, 422)


async def answer_disconnected(request: Request, error: ClientDisconnect) -> Response:
    """Return something to a client that went away in the middle of its request. Nobody receives it."""
    return Response(status_code=400)


def _sentence(problems: Sequence[Any]) -> str:
    """Return what Pydantic found wrong."""
    return "; ".join(f"{problem['loc'][-1] if problem['loc'] else 'the body'}: {problem['msg']}" for problem in problems)
