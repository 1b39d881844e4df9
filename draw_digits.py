"""Draw, photograph or drop digits on a page in your browser, and watch them being read.

    python draw_digits.py                     opens http://127.0.0.1:8000 in your browser; Ctrl-C ends it
    python draw_digits.py --port 8001         where 8000 is taken
    python draw_digits.py --host 0.0.0.0      also for the phones on your network: everybody on it can use the page

A second page reads forms: draw the fields on a sheet, read a stack of sheets, check what is not sure, download the CSV.
Nothing leaves this machine, and nothing is kept unless you press Keep: that puts the image under custom_digits/, from
where train_model.py --fine-tune custom_digits learns your hand. It prints:

    model: models/digit_recognition_model.tflite
    number reader: models/number_reader.tflite
    line reader: models/line_reader.tflite
    page: http://127.0.0.1:8000   (Ctrl-C ends it)
"""

import argparse
import ipaddress
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence

import uvicorn

from digits.cli import command_line
from digits.cli.print_models import print_models
from digits.common.errors import UserError
from digits.model.classifier import DEFAULT_MODEL
from digits.web.reader_pool import ReaderPool
from digits.web.server import create_app

# ---- settings ------------------------------------------------------------------------------------------------------
HOST = "127.0.0.1"  # this machine alone; "0.0.0.0": every device on the network can open the page
PORT = 8000  # 0 to 65535; 0 takes any that is free

SHUTDOWN_TIMEOUT = 1  # whole seconds: requests under way may take this long after Ctrl-C; an image takes less
NETWORK_NOTE = """Everybody on this network can open the page, see what is in custom_digits/ and keep images there.
Browsers allow a live camera only for https and localhost: on a phone, take a photograph instead."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--model", type=command_line.path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file"
    )
    parser.add_argument(
        "--host", metavar="ADDRESS", default=HOST, help=f"the address to serve at (default: {HOST}, this machine alone)"
    )
    parser.add_argument(
        "--port",
        type=command_line.port,
        metavar="N",
        default=PORT,
        help=f"the port to serve at (default: {PORT}); 0 for any free one",
    )
    return parser.parse_args(argv)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises UserError where the address can't be used."""
    try:
        if ":" in host:
            both = host == "::" and socket.has_dualstack_ipv6()  # "::" means every address, so those of IPv4 too
            listening = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=both)
        else:
            listening = socket.create_server((host or HOST, port))
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The page can't be served at {host}, port {port}: {getattr(error, 'strerror', None) or error}.\n"
            "Expected an address of this machine and a free port, such as --port 8001."
        ) from error
    # Else an answer's second half waits 40 ms for the browser to confirm the first (Nagle's algorithm, RFC 896).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def local_address(host: str, port: int) -> str:
    """Return the page's address for a browser on this machine. host: the socket's own address, in numbers."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return f"http://127.0.0.1:{port}"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"


def network_address(host: str, port: int) -> str:
    """Return the page's address for phones on the network. host: the socket's own address, in numbers."""
    if not ipaddress.ip_address(host).is_unspecified:
        return local_address(host, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing: it only asks from which address a packet would leave
            return f"http://{probe.getsockname()[0]}:{port}"
        except OSError:
            return f"http://ADDRESS-OF-THIS-MACHINE:{port}"


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Listen, print where, serve until Ctrl-C."""
    arguments = parse(argv)
    readers = ReaderPool(arguments.model)
    with listen(arguments.host, arguments.port) as listening:
        host, port = listening.getsockname()[:2]
        address = local_address(host, port)
        print_models(readers.models, readers.card)
        print(f"page: {address}   (Ctrl-C ends it)", flush=True)
        if not ipaddress.ip_address(host).is_loopback:
            print(f"phone: {network_address(host, port)}", flush=True)
            print(NETWORK_NOTE, file=sys.stderr)
        # In a thread, because a text browser runs until it is closed. The socket listens already, so this is not too early.
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        config = uvicorn.Config(
            create_app(readers), log_config=None, log_level="critical", timeout_graceful_shutdown=SHUTDOWN_TIMEOUT
        )
        uvicorn.Server(config).run(sockets=[listening])
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
