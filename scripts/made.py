"""Files, and parts of documents, that scripts make from code: what those scripts have in common."""

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def with_parts(page: Path, script: str, **parts: str) -> str:
    """The page with each part as it has to be, between the marks that carry its name."""
    text = page.read_text()
    for name, made in parts.items():
        before, begin, rest = text.partition(f"<!-- {name}, made by {Path(script).name} -->\n")
        _, end, after = rest.partition(f"\n<!-- end of {name} -->")
        if not begin or not end:
            raise ValueError(f"{page.name} has no marks for {name}")
        text = f"{before}{begin}{made}{end}{after}"
    return text


def stale(files: Mapping[Path, str]) -> list[str]:
    """Which of them are not what they have to be."""
    return [
        str(path.relative_to(ROOT)) for path, text in files.items() if not path.exists() or path.read_text() != text
    ]


def write(files: Mapping[Path, str]) -> None:
    """Write them; with --check only compare, and end the program if one of them is not current."""
    if "--check" not in sys.argv:
        for path, text in files.items():
            path.write_text(text)
    elif wrong := stale(files):
        sys.exit(f"{', '.join(wrong)}: not current. Run {sys.argv[0]} and commit it.")
