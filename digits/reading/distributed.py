"""Many images, read on the machines of a Ray cluster. Scheduling, retries and the moving of data are Ray's.

Rows of (index, name) -> remote files fetched by tasks -> read by actors, one reader each -> answers as JSON -> one file, written
here, or parts, written by tasks. Each actor has a process of its own that decodes: an image that brings it down is an "error",
as in parallel. Without that it would bring down the actor, and Ray would start it again without end.
"""

import contextlib
import functools
import json
import logging
import math
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import ray
from pyarrow import fs
from ray.data import ActorPoolStrategy

from digits.common.errors import UserError
from digits.common.files import atomic_write
from digits.common.formatting import counted, printable
from digits.common.stderr import silent_stderr
from digits.reading.form import Form
from digits.reading.parallel import FetchedImage, ImageToRead, ReadingProcess, unread
from digits.reading.reader import Reader, ReaderArguments
from digits.reading.remote_files import fetch, is_remote, locate, unreachable
from digits.reading.results import Reading

PARQUET = ".parquet"
EXCEPTION_LINE = re.compile(r"[\w.]+: ")  # of a stack trace: ModuleNotFoundError: No module named 'digits'

MAX_CONNECT_SECONDS = 10  # until the head of a cluster answers

# An actor counts as half a core, so that as many actors as cores leave half of the cores, as Ray counts them, to other tasks.
# With a whole core each, they leave none, and reading waits without end.
CORES_PER_ACTOR = 0.5
# Fetching and writing wait for the network, not for a core: so they never wait for an actor, not even after a machine is lost.
CORES_PER_TRANSFER = 0
IMAGES_PER_BLOCK = 64  # images that are handed to an actor at a time: seconds of work, and milliseconds of Ray's
MIN_BLOCKS_PER_ACTOR = 4  # so that no actor has much left to read when the others are done
FETCHED_TOGETHER = 8  # files of one task: it waits for them together
ROWS_PER_PART = 10_000  # answers in a file: some MB

DIGIT = pa.struct(
    [
        ("digit", pa.int8()),
        ("confidence", pa.float64()),
        ("score", pa.float64()),
        ("box", pa.list_(pa.int32())),
        ("top3", pa.list_(pa.list_(pa.float64()))),
    ]
)
MARK = pa.struct(
    [
        ("mark", pa.string()),
        ("row", pa.int32()),
        ("after", pa.int32()),
        ("confidence", pa.float64()),
        ("box", pa.list_(pa.int32())),
    ]
)
TEXT_COLUMNS = [("status", pa.string()), ("text", pa.string())]
FOUND_COLUMNS = [("digits", pa.list_(DIGIT)), ("marks", pa.list_(MARK))]

# (an open binary file, the schema) -> a context manager; it gives a function that writes a table of answers to the file.
Encode = Callable[[Any, pa.Schema], AbstractContextManager[Callable[[pa.Table], object]]]


def connect(address: str) -> str:
    """Connect to a cluster and return what it is, in words. Raises UserError.

    address: of the cluster's head; "auto": the cluster that this machine belongs to, or else one that is started here and ends
    with this program.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here reports nothing to Ray's makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what helps a user is said by _failure
    try:
        if address != "auto":
            host, _, port = address.removeprefix("ray://").rpartition(":")
            if not (host and port.isdecimal()):
                raise ValueError("it names no host and port")
            socket.create_connection((host, int(port)), MAX_CONNECT_SECONDS).close()  # Ray would try for minutes
        with silent_stderr():  # it says that the level was set
            ray.init(None if address == "auto" else address, logging_level=logging.CRITICAL, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"There is no Ray cluster at {address}: {(str(error).strip() or type(error).__name__).splitlines()[0]}\n"
            "Expected auto, or the address of a cluster that runs the same versions of Ray and Python, such as 10.0.0.1:6379."
        ) from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    nodes = sum(node["Alive"] for node in ray.nodes())
    return f"{counted(nodes, 'node')}, {counted(_cores(), 'core')}"


def read_and_write(
    names: Sequence[str],
    output: str,
    reader_arguments: ReaderArguments,
    form: Form | None = None,
    expect: str | None = None,
    ordered: bool = False,
    report: Callable[[int, int], object] = lambda done, failed: None,
    actors: int | None = None,
) -> None:
    """Read the images on the cluster that connect found, and write one row for each.

    names: paths that are the same on each node, and addresses (remote_files); of pages as in page_images.
    output: a path or an address that ends in .jsonl or .parquet: one file, which is whole when this ends; with "/" behind it: a
        folder, which the nodes write parts into.
    reader_arguments: Reader.arguments.
    form, expect: as in parallel.read_all.
    ordered: whether the rows are in the order of the names; each has its index among them.
    report: is called now and then with the numbers of further images that were read, and of those among them that could not be.
    actors: how many read at once; None: as many as the cluster has cores.

    Raises UserError; after Ctrl-C, KeyboardInterrupt, and what was written holds the answers so far.
    """
    try:
        answers = _answers(names, reader_arguments, form, expect, ordered, actors or _cores())
        schema, encode = _schema(form), _parquet if output.rstrip("/").endswith(PARQUET) else _json_lines
        if output.endswith("/"):
            folder = output if is_remote(output) else f"{os.path.abspath(output)}/"
            _check_empty(folder)
            write_part = functools.partial(_write_part, folder=folder, encode=encode, schema=schema)
            done = answers.map_batches(write_part, batch_size=ROWS_PER_PART, **_transfer(_cores()))
            for counts in done.iter_batches(batch_size=None):
                report(int(counts["done"].sum()), int(counts["failed"].sum()))
        else:
            _write_file(answers, output, encode, schema, report)
    except ray.exceptions.RayError as error:
        raise _failure(error) from error


def _answers(
    names: Sequence[str], reader_arguments: ReaderArguments, form: Form | None, expect: str | None, ordered: bool, actors: int
) -> ray.data.Dataset:
    """Return the rows (index, status, answer as JSON) that the actors will give, with their order as in read_and_write."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = ordered
    per_block = min(IMAGES_PER_BLOCK, math.ceil(len(names) / (MIN_BLOCKS_PER_ACTOR * actors)))
    blocks = [_rows(start, names[start : start + per_block]) for start in range(0, len(names), per_block)]
    images: ray.data.Dataset = ray.data.from_arrow(blocks)
    if any(map(is_remote, names)):
        images = images.map_batches(_fetch, batch_size=FETCHED_TOGETHER, **_transfer(actors))
    return images.map_batches(
        _ReadingActor,
        fn_constructor_args=(os.getcwd(), reader_arguments, form, expect),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=min(actors, len(blocks))),
        num_cpus=CORES_PER_ACTOR,
    )


def _cores() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _transfer(count: int) -> dict[str, Any]:
    """Return the arguments of map_batches for tasks that fetch or write. count: of those that run at a time."""
    return {"batch_format": "pyarrow", "num_cpus": CORES_PER_TRANSFER, "concurrency": count}


def _rows(start: int, names: Sequence[str]) -> pa.Table:
    """Return a block of the input. A name is kept in the bytes of the file system, which need not be text."""
    columns = {"index": range(start, start + len(names)), "name": [os.fsencode(name) for name in names]}
    return pa.table(columns, pa.schema([("index", pa.int64()), ("name", pa.binary())]))


def _fetch(rows: pa.Table) -> pa.Table:
    """Return the rows with the content of the remote files, their pages' numbers, and why a file can't be fetched."""
    with ThreadPoolExecutor(FETCHED_TOGETHER) as threads:
        fetched = list(threads.map(_fetched, (os.fsdecode(name) for name in rows["name"].to_pylist())))
    for column, (name, kind) in enumerate({"content": pa.large_binary(), "page": pa.int32(), "problem": pa.string()}.items()):
        rows = rows.append_column(name, pa.array([values[column] for values in fetched], kind))
    return rows


def _fetched(name: str) -> tuple[bytes | None, int | None, str | None]:
    """Return (content, page, problem). A local file has none of them: it is opened where it is decoded."""
    if not is_remote(name):
        return None, None, None
    try:
        _, content, page = fetch(name)
        return content, page, None
    except UserError as error:
        return None, None, str(error).split("\n")[0]


class _ReadingActor:
    """Reads images in another process. Ray makes one in each actor. folder: in which relative paths are."""

    def __init__(self, folder: str, reader_arguments: ReaderArguments, form: Form | None, expect: str | None) -> None:
        with contextlib.suppress(OSError):  # where a node has no such folder, each file in it is missing
            os.chdir(folder)
        self._process = ReadingProcess(reader_arguments, form)
        self._form, self._expect = form, expect
        try:
            self._process.start()
        except BrokenProcessPool:  # which does not say why
            Reader(*reader_arguments)  # it raises the same here
            raise

    def __call__(self, rows: pa.Table) -> pa.Table:
        readings = [self._read(**row) for row in rows.select(set(rows.column_names) - {"index"}).to_pylist()]
        indices = rows["index"].to_pylist()
        answers = [json.dumps({"index": index, **reading.to_json()}) for index, reading in zip(indices, readings, strict=True)]
        return pa.table({"index": indices, "status": [reading.status for reading in readings], "answer": answers})

    def _read(self, name: bytes, content: bytes | None = None, page: int | None = None, problem: str | None = None) -> Reading:
        path = os.fsdecode(name)
        if problem is not None:
            return unread(path, problem, self._form)
        image = path if content is None else FetchedImage(path, content, page)
        return self._process.read(ImageToRead(image, with_thumbnail=False, expect=self._expect))


def _counts(answers: pa.Table) -> tuple[int, int]:
    """Return the number of images, and of those among them that could not be read."""
    return answers.num_rows, answers["status"].to_pylist().count("error")


@contextlib.contextmanager
def _json_lines(file: Any, schema: pa.Schema) -> Iterator[Callable[[pa.Table], object]]:
    """Yield a function that writes answers to an open binary file, as JSON Lines."""
    yield lambda answers: file.write("".join(f"{answer}\n" for answer in answers["answer"].to_pylist()).encode("ascii"))


@contextlib.contextmanager
def _parquet(file: Any, schema: pa.Schema) -> Iterator[Callable[[pa.Table], object]]:
    """Yield a function that writes answers to an open binary file, as Parquet; the file is whole when the block ends."""

    def columns(answers: pa.Table) -> pa.Table:
        rows = [json.loads(answer) for answer in answers["answer"].to_pylist()]
        for row in rows:  # Parquet's text is UTF-8, and a name need not be text
            row |= {name: row[name].encode("utf-8", "backslashreplace").decode() for name in ("image", "message")}
        return pa.Table.from_pylist(rows, schema)

    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        yield lambda answers: writer.write_table(columns(answers))


def _schema(form: Form | None) -> pa.Schema:
    """Return the columns of Parquet: the keys of the JSON. A pair in top3 is [digit, probability]."""
    columns = [("index", pa.int64()), ("image", pa.string()), *TEXT_COLUMNS, ("message", pa.string()), *FOUND_COLUMNS]
    if form is not None:
        in_field = pa.struct([*TEXT_COLUMNS, *FOUND_COLUMNS])
        columns.append(("fields", pa.struct([(field.name, in_field) for field in form.fields])))
    return pa.schema(columns)


def _write_file(
    answers: ray.data.Dataset, output: str, encode: Encode, schema: pa.Schema, report: Callable[[int, int], object]
) -> None:
    """Write answers as one file, as they come. encode: _json_lines or _parquet. report: as in read_and_write."""
    interrupted = None
    with _whole_file(output) as file, encode(file, schema) as write:
        try:
            for table in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
                write(table)
                report(*_counts(table))
        except KeyboardInterrupt as interrupt:  # what was written is kept
            interrupted = interrupt
    if interrupted is not None:
        raise interrupted


def _write_part(answers: pa.Table, folder: str, encode: Encode, schema: pa.Schema) -> pa.Table:
    """Write answers as a file of the folder, named by the first index; a task that is done again writes the same file again.

    folder: with "/" behind it. Return one row: the numbers of images that were read, and of those that could not be.
    """
    suffix = Path(folder).suffix
    with _output_file(f"{folder}part-{answers['index'][0].as_py():010}{suffix}") as file, encode(file, schema) as write:
        write(answers)
    done, failed = _counts(answers)
    return pa.table({"done": [done], "failed": [failed]})


@contextlib.contextmanager
def _output_file(name: str) -> Iterator[Any]:
    """Yield an open binary file; it appears under its name, a path or an address, when the block ends. Raises UserError."""
    if not is_remote(name):
        with atomic_write(name) as temporary, open(temporary, "wb") as file:
            yield file
        return
    file_system, path = locate(name)
    try:
        with file_system.open_output_stream(path) as file:
            yield file
    except OSError as error:
        raise unreachable(name, error) from error


@contextlib.contextmanager
def _whole_file(name: str) -> Iterator[Any]:
    """Yield an open binary file as _output_file does; where the block fails, an earlier file of this name stays as it was.

    A remote file appears when it is closed, also after an error. So it has another name until it is whole.
    """
    if not is_remote(name):
        with _output_file(name) as file:
            yield file
        return
    unfinished = f"{name}.part"
    file_system, path = locate(unfinished)
    is_whole = False
    try:
        with _output_file(unfinished) as file:
            yield file
            is_whole = True
        file_system.move(path, path.removesuffix(".part"))
    except OSError as error:
        raise unreachable(name, error) from error
    finally:
        if not is_whole:
            with contextlib.suppress(OSError):
                file_system.delete_file(path)


def _check_empty(folder: str) -> None:
    """Raise UserError if a folder holds something: parts of another run would stand beside those of this one."""
    file_system, path = locate(folder) if is_remote(folder) else (fs.LocalFileSystem(), os.path.abspath(folder))
    try:
        found = file_system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    except OSError as error:
        raise unreachable(folder, error) from error
    if found:
        raise UserError(f"{folder} is not empty.\nExpected a new or an empty folder for the parts of the answers.")


def _failure(error: Exception) -> UserError:
    """Return the UserError that says why Ray gave up: the last error in the stack traces that it quotes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = next(filter(EXCEPTION_LINE.match, reversed(lines)), lines[-1])
    return UserError(
        f"The nodes of the Ray cluster could not read the images: {printable(reason)}\n"
        "Expected this project at the same path on each node, with the same packages: see docs/many_images.md."
    )
