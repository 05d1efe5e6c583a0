"""XML as S3's clients send it and get it. Documents with a DOCTYPE are refused: no entities, no surprises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from synnefo_object.domain.s3.errors import S3Fault

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAX_DEPTH = 12


@dataclass(slots=True)
class Element:
    """A parsed element; names are without their namespace."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    def all(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def find(self, name: str) -> Element | None:
        """The first of them."""
        return next(self.all(name), None)

    def value(self, name: str, default: str | None = None) -> str:
        """A child's text without the space around it. Raises MalformedXML without one and no default."""
        return self.exact(name, default).strip()

    def exact(self, name: str, default: str | None = None) -> str:
        """A child's text with its spaces: names of users' own. Raises MalformedXML without one and no default."""
        child = self.find(name)
        if child is not None:
            return child.text
        if default is None:
            raise S3Fault("MalformedXML")
        return default


def parse(body: bytes, root: str) -> Element:
    """Raises MalformedXML for anything but a document of this root element."""
    top = Element("")
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _MAX_DEPTH:
            raise S3Fault("MalformedXML")
        made = Element(name.rpartition("|")[2], attributes={key.rpartition("|")[2]: value for key, value in attributes.items()})
        open_elements[-1].children.append(made)
        open_elements.append(made)

    def data(text: str) -> None:
        open_elements[-1].text += text

    def refuse(*_: object) -> None:
        raise S3Fault("MalformedXML", "Documents with a DOCTYPE are not accepted.")

    parser = expat.ParserCreate(namespace_separator="|")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: open_elements.pop()
    parser.CharacterDataHandler = data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise S3Fault("MalformedXML") from None
    found = top.find(root)
    if found is None:
        raise S3Fault("MalformedXML")
    return found


def text(value: str) -> str:
    """Escaped; characters that XML has not got as references, as S3 writes them."""
    return _CONTROL.sub(lambda match: f"&#x{ord(match[0]):x};", escape(value, {'"': "&quot;", "\r": "&#13;"}))


def tag(name: str, value: object = "", *, raw: str | None = None) -> str:
    """An element of text, or of `raw` XML."""
    if raw is not None:
        return f"<{name}>{raw}</{name}>"
    shown = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return f"<{name}>{text(shown)}</{name}>"


def document(name: str, *elements: str) -> bytes:
    """A whole document in S3's namespace."""
    return f'{_HEAD}<{name} xmlns="{_NAMESPACE}">{"".join(elements)}</{name}>'.encode("utf-8", "replace")


def error(code: str, message: str, shown: dict[str, str], *, resource: str, request_id: str) -> bytes:
    """An error; it has no namespace."""
    more = "".join(tag(name, value) for name, value in shown.items())
    inner = f"{tag('Code', code)}{tag('Message', message)}{more}{tag('Resource', resource)}{tag('RequestId', request_id)}"
    return f"{_HEAD}<Error>{inner}</Error>".encode("utf-8", "replace")


def owner(owner_id: str, name: str = "Owner") -> str:
    """Who has it: a project."""
    return tag(name, raw=tag("ID", owner_id) + tag("DisplayName", owner_id))
