"""Registries: named methods, each with the paper it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from metagrove.core.errors import UnknownName

__all__ = ["Entry", "Registry"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One method: its code, what it is called in a sentence, its reference, and the thing itself."""

    name: str
    title: str
    cite: str
    value: T


class Registry(Mapping[str, T]):
    """A dict of methods that refuses unknown names and knows where each method was published.

    >>> letters = Registry[int]("letter")
    >>> letters.put("A", 1, title="the first letter", cite="Anon 1900")
    >>> letters["A"], letters.entry("A").cite
    (1, 'Anon 1900')
    >>> letters["B"]
    Traceback (most recent call last):
    ...
    metagrove.core.errors.UnknownName: No letter 'B'; Known: A.
    """

    __slots__ = ("_entries", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}

    def put(self, name: str, value: T, *, title: str, cite: str) -> None:
        """Enter `value` under `name`; a name is taken once."""
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is taken")
        self._entries[name] = Entry(name, title, cite, value)

    def add(self, name: str, *, title: str, cite: str) -> Callable[[T], T]:
        """Enter the decorated function under `name`."""

        def enter(value: T) -> T:
            self.put(name, value, title=title, cite=cite)
            return value

        return enter

    def entry(self, name: str) -> Entry[T]:
        """The whole entry; raises UnknownName, which lists the known."""
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise UnknownName(self.kind, name, self._entries) from None

    def __getitem__(self, name: str) -> T:
        return self.entry(name).value

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
