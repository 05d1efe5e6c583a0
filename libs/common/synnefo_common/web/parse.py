"""Bodies and query values that are not fixed by the route."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from synnefo_common.errors import BadRequest

M = TypeVar("M", bound=BaseModel)
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


def validation_message(errors: Any) -> str:
    """One sentence for the first validation error: which field, what value, what is wanted."""
    first = errors[0]
    place = ".".join(str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path", "header"))
    if first.get("type") == "json_invalid":
        return "The request body is not valid JSON."
    text = str(first.get("msg", "is not valid")).removeprefix("Value error, ")
    if not place:
        return f"Invalid input: {text}."
    value = first.get("input")
    shown = "" if isinstance(value, (dict, list)) or value is None else f" Value: {str(value)[:100]}."
    return f"Invalid input for field/attribute {place}.{shown} {text}."


def parse(model: type[M], data: Any) -> M:
    """Validate a body chosen at run time (an action). Raises BadRequest."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadRequest(validation_message(error.errors())) from error


def read_bool(text: str | None, *, default: bool = False, name: str = "value") -> bool:
    """OpenStack's lenient query booleans. Raises BadRequest for anything else."""
    if text is None or text == "":
        return default
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise BadRequest(f"Unrecognized value {text!r} for {name}: use true or false.")
