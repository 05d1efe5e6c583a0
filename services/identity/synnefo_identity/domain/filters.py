"""What a list call asks for, free of any framework."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextFilter:
    """`name__contains=x` is (name, contains, x); equality has an empty operator."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Query:
    """Filters and page of a list. `equals` are exact matches of columns."""

    texts: tuple[TextFilter, ...] = ()
    equals: dict[str, str | bool] = field(default_factory=dict)
    marker: str | None = None
    limit: int | None = None

    def narrowed(self, **equals: str | bool | None) -> Query:
        """The same with more exact matches; None adds nothing."""
        more = {k: v for k, v in equals.items() if v is not None}
        return Query(self.texts, self.equals | more, self.marker, self.limit)
