"""The commands of a guide in docs/, by section, as a reader types them."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_FENCED = re.compile(r"^```(?:bash)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)


def commands(path: Path) -> dict[str, str]:
    """Heading to all commands under it, one after the other."""
    found: dict[str, str] = {}
    for part in re.split(r"^(?=#+ )", path.read_text(), flags=re.MULTILINE):
        heading, _, text = part.partition("\n")
        blocks = [match[1] for match in _FENCED.finditer(text)]
        rest = _FENCED.sub("", text)
        blocks += [re.sub(r"^ {4}", "", match[0], flags=re.MULTILINE) for match in _INDENTED.finditer(rest)]
        if blocks:
            found[heading.lstrip("# ")] = "".join(blocks)
    return found
