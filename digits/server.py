"""The page's server: pictures sent by a browser -> the recogniser -> JSON, and the page itself.

It reads through the same Recognizer as every script. Nothing that is sent is written to disk, but by /keep.
"""

import asyncio
import base64
import concurrent.futures
import io
import ipaddress
import queue
import sys
from pathlib import Path

import cv2
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from digits.config import CORES, CUSTOM_DIGITS_DIR, PROJECT, UserError
from digits.dataset import pictures_in
from digits.keeping import keep
from digits.picture import open_picture
from digits.recognizer import Recognizer

PAGE = Path(__file__).parent / "page"
FILES = {"": "index.html", "style.css": "style.css", "page.js": "page.js", "icon.svg": "icon.svg"}  # by address
LARGEST = 25_000_000  # bytes of a picture that is sent; a phone's photographs have 2 to 12 million. chosen
HEADERS = {
    # The browser itself sees to it that the page loads nothing from elsewhere and sends nothing there.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that is answered with a status and a sentence for the page."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def application(model_path, card, folder=CUSTOM_DIGITS_DIR):
    """Return the FastAPI application. model_path, card: of the Recognizer. folder: of the examples and of what is kept."""
    app = FastAPI(openapi_url=None)  # the addresses of one page need no published description
    readers = Readers(model_path, card)

    @app.middleware("http")
    async def guard(request, call_next):
        try:
            check_origin(request)
            response = await call_next(request)
        except Refused as refused:
            response = JSONResponse({"message": str(refused)}, refused.status)
        except ClientDisconnect:
            response = Response(status_code=400)  # nobody is there to read it
        except Exception as error:
            print(f"{request.method} {request.url.path} failed: {error!r}", file=sys.stderr)
            response = JSONResponse({"message": "the program made a mistake; what it was stands on its screen."}, 500)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(Refused)
    async def refuse(request, refused):
        return JSONResponse({"message": str(refused)}, refused.status)

    @app.post("/read")
    async def read(request: Request, preview: bool = False):
        """Read the picture that is the request's body; preview: send it back, too, upright and small."""
        return await readers.read(await body_of(request), preview)

    @app.post("/keep")
    async def keep_picture(request: Request, label: str, suffix: str):
        """Keep the picture that is the request's body as one of this label."""
        data = await body_of(request)
        if (await readers.read(data, False))["status"] == "error":
            raise Refused(415, "This is not a picture that can be read, so it was not kept.")
        try:
            path = await asyncio.to_thread(keep, data, suffix, label, folder)
        except UserError as error:
            raise Refused(400, str(error)) from None
        return {"message": f"Kept as {path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path}."}

    @app.get("/examples")
    async def examples():
        """Return the names of the pictures in the folder, of those that a page can name."""
        pictures, _ = await asyncio.to_thread(pictures_in, folder) if folder.is_dir() else ([], 0)
        names = [str(path.relative_to(folder)) for path in pictures if path.is_file()]
        return [name for name in names if name == name.encode(errors="replace").decode()]

    @app.get("/examples/{name:path}")
    async def example(name: str):
        """Return one of them. Only names from the list are answered, so none leads out of the folder."""
        if name not in await examples():
            raise Refused(404, "There is no such example.")
        return FileResponse(folder / name, media_type="application/octet-stream")

    @app.get("/thumbnails/{name:path}")
    async def thumbnail(name: str):
        """Return one of them small and upright, as PNG, whatever its format."""
        if name not in await examples():
            raise Refused(404, "There is no such example.")
        try:
            picture = await asyncio.to_thread(open_picture, folder / name)
        except UserError as error:
            raise Refused(415, str(error)) from None
        return Response(png_of(picture.thumbnail()), media_type="image/png")

    @app.get("/")
    @app.get("/{name}")
    async def page(name: str = ""):
        if name not in FILES:
            raise Refused(404, "There is no such page.")
        return FileResponse(PAGE / FILES[name])

    return app


def check_origin(request):
    """Raise Refused for a request that another site makes through somebody's browser.

    A site elsewhere may send here, but not under this page's origin; and a name that it lets point to this machine (DNS
    rebinding) is neither an address nor localhost.
    """
    host = request.url.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host != "localhost":
            raise Refused(421, "This page is reached by its address in numbers, or as localhost.") from None
    if request.method not in ("GET", "HEAD") and request.headers.get("origin") != f"{request.url.scheme}://{request.url.netloc}":
        raise Refused(403, "Only the page itself may send pictures here.")


async def body_of(request):
    """Return the request's body. Raises Refused as soon as it is too large, whatever its header says."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise Refused(413, f"This file is too large: at most {LARGEST // 10**6} million bytes are read.")
    if not data:
        raise Refused(400, "There was no picture in this request.")
    return bytes(data)


class Readers:
    """As many recognisers as cores, each for one picture at a time."""

    def __init__(self, model_path, card):
        self.threads = concurrent.futures.ThreadPoolExecutor(CORES)
        self.idle = queue.SimpleQueue()
        for _ in range(CORES):
            self.idle.put(Recognizer(model_path, card))
        cv2.setNumThreads(1)

    async def read(self, data, preview):
        """Return what the page shows of a picture, bytes; off the event loop, which stays free to answer others."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._read, data, preview)

    def _read(self, data, preview):
        recognizer = self.idle.get()
        try:
            reading = recognizer.examine(io.BytesIO(data))
        finally:
            self.idle.put(recognizer)
        answer = {name: reading.entry[name] for name in ("status", "text", "message")}
        answer["digits"] = [
            {
                **{name: digit[name] for name in ("digit", "confidence", "box")},
                "probabilities": [round(float(probability), 4) for probability in probabilities],
                "crop": base64.b64encode(crop).decode(),  # 784 grey levels
            }
            for digit, probabilities, crop in zip(reading.entry["digits"], reading.probabilities, reading.crops, strict=True)
        ]
        if preview and reading.thumbnail is not None:
            answer["preview"] = {"png": base64.b64encode(png_of(reading.thumbnail)).decode(), "width": reading.width}
        return answer


def png_of(pixels):
    """Return (height, width, 3) uint8 RGB as the bytes of a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
