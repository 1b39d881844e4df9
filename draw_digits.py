"""Draw, photograph or drop digits on a page in your browser, and watch them being read.

    python draw_digits.py                     opens http://127.0.0.1:8000 in your browser; Ctrl-C ends it
    python draw_digits.py --port 8001         where 8000 is taken
    python draw_digits.py --host 0.0.0.0      also for the phones on your network: whoever is on it can use the page

Nothing leaves this machine, and nothing is kept unless you press Keep: that puts the picture under custom_digits/, from
where train_model.py --fine-tune custom_digits learns your hand. It prints:

    model: models/digit_recognition_model.tflite
    page:  http://127.0.0.1:8000   (Ctrl-C ends it)
"""

import ipaddress
import socket
import sys
import threading
import webbrowser
from pathlib import Path

import uvicorn

from digits import command_line
from digits.config import UserError
from digits.recognizer import DEFAULT_MODEL, Recognizer
from digits.server import application

# ---- settings ------------------------------------------------------------------------------------------------------
HOST = "127.0.0.1"  # this machine alone; "0.0.0.0": whoever reaches it over the network
PORT = 8000  # 0 to 65535; 0 takes any that is free


def listen(host, port):
    """Return a listening socket. Raises UserError where the address can't be had."""
    try:
        if ":" in host:
            both = host == "::" and socket.has_dualstack_ipv6()  # everywhere is everywhere, by either kind of address
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


def address_on_network():
    """Return this machine's address as phones on the network reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing; it only asks which way a packet would go
            return probe.getsockname()[0]
        except OSError:
            return "ADDRESS-OF-THIS-MACHINE"


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file")
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


@command_line.exit_codes
def main(argv=None) -> int:
    """Listen, say where, serve until Ctrl-C."""
    arguments = parse(argv)
    recognizer = Recognizer(arguments.model)
    with listen(arguments.host, arguments.port) as listening:
        host, port = listening.getsockname()[:2]  # in numbers, whatever name was given
        everywhere = ipaddress.ip_address(host).is_unspecified
        shown = "127.0.0.1" if everywhere else f"[{host}]" if ":" in host else host
        print(f"model: {command_line.printable(recognizer.model_path)}")
        print(f"page:  http://{shown}:{port}   (Ctrl-C ends it)", flush=True)
        if not ipaddress.ip_address(host).is_loopback:
            print(f"phone: http://{address_on_network() if everywhere else shown}:{port}", flush=True)
            print(
                "Whoever is on this network can open the page, see what is in custom_digits/ and keep pictures there.\n"
                "Browsers give a camera's live picture to https and localhost alone: a phone takes photographs instead.",
                file=sys.stderr,
            )
        configuration = uvicorn.Config(
            application(recognizer.model_path, recognizer.card), log_level="critical", timeout_graceful_shutdown=1
        )
        threading.Timer(0.5, webbrowser.open, [f"http://{shown}:{port}"]).start()
        uvicorn.Server(configuration).run(sockets=[listening])
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
