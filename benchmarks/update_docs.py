"""Write the measured numbers into README.md and docs/, from benchmarks/results and the shipped model's card.

    python benchmarks/update_docs.py           write them
    python benchmarks/update_docs.py --check   write nothing; exit code 1 if a file would change

A measured number stands in the Markdown between two comments, <!-- measured: NAME --> and <!-- end -->. NAME is one of the
functions in docs_tables.py, which returns the text between them. A result is shown only if it was measured with the shipped files
(shown_results.py); those that are left out are printed, with the reason.
"""

import re
import sys
from collections.abc import Sequence

from docs_tables import BLOCKS
from record import PROJECT_FOLDER
from shown_results import Results

from digits.cli import command_line
from digits.common.files import atomic_write

PAGES = (PROJECT_FOLDER / "README.md", *sorted((PROJECT_FOLDER / "docs").glob("*.md")))
BLOCK = re.compile(r"(<!-- measured: (\w+) -->)(.*?)(<!-- end -->)", re.DOTALL)


def updated(text: str, results: Results) -> str:
    """Return a page's text with its blocks as the results are. Raises KeyError for a block that has no function."""
    return BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]](results)}{match[4]}", text)


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the pages; print what is left out."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file would change")
    check = parser.parse_args(argv).check
    results, changed = Results(), []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = updated(text, results)
        if new != text:
            changed.append(page)
            if not check:
                with atomic_write(page) as temporary:
                    temporary.write_text(new, encoding="utf-8")
    for page in changed:
        print(f"{'differs from the results' if check else 'updated'}: {page.relative_to(PROJECT_FOLDER)}")
    for sentence in results.missing:
        print(f"left out: {sentence}")
    return command_line.SOME_FAILED if check and changed else command_line.DONE


if __name__ == "__main__":
    sys.exit(command_line.exit_codes(main)())
