"""The style sheets of SVG drawings: selectors of tags, classes, ids and the elements round them; states are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Rule", "declarations", "declared", "rules_of"]

# the tag ("" for any), classes and id of one element of a selector
_Simple: TypeAlias = tuple[str, frozenset[str], str]
_PART = re.compile(r"([.#]?)(-?[\w-]+)")
_PLAIN = re.compile(r"(\*|[\w-]+)?([.#]-?[\w-]+)*")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a sheet declares for the elements that one selector names.

    `path` are the element and those it stands in, outermost first; `child` says of each whether it must be the parent of
    the next. `weight` are the selector's ids, classes and tags.
    """

    path: tuple[_Simple, ...]
    child: tuple[bool, ...]
    weight: tuple[int, int, int]
    declared: dict[str, str]


def declarations(text: str) -> dict[str, str]:
    """The properties of `key: value; ...`."""
    pairs = (part.partition(":") for part in text.split(";"))
    return {k.strip(): v.replace("!important", "").strip() for k, _, v in pairs if v.strip()}


def rules_of(sheet: str) -> list[Rule]:
    """The rules of a sheet, the weightiest last; rules inside `@media` and the like count as if they stood alone."""
    plain = re.sub(r"/\*.*?\*/|<!--|-->|@[\w-]+[^{};]*;", "", sheet, flags=re.DOTALL)
    found = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain):
        for selector in selectors.split(","):
            rule = _rule(selector, declarations(body))
            if rule is not None:
                found.append(rule)
    return sorted(found, key=lambda r: r.weight)


def _rule(selector: str, body: dict[str, str]) -> Rule | None:
    """The rule of one selector; None where it asks for what is not understood."""
    path: list[_Simple] = []
    child: list[bool] = []
    for part in selector.replace(">", " > ").split():
        if part == ">":
            if not child:
                return None
            child[-1] = True
        elif not _PLAIN.fullmatch(part):
            return None
        else:
            path.append(_simple(part))
            child.append(False)
    if not path:
        return None
    ids, classes = sum(bool(p[2]) for p in path), sum(len(p[1]) for p in path)
    return Rule(tuple(path), tuple(child), (ids, classes, sum(bool(p[0]) for p in path)), body)


def _simple(part: str) -> _Simple:
    named = _PART.findall(part)
    tag = next((name for mark, name in named if not mark), "")
    own = next((name for mark, name in named if mark == "#"), "")
    return tag, frozenset(name for mark, name in named if mark == "."), own


def declared(rules: Sequence[Rule], chain: Sequence[Any]) -> dict[str, str]:
    """What the rules say of the last element of `chain`, the elements from the outermost to it."""
    out: dict[str, str] = {}
    for rule in rules:
        if _is(rule.path[-1], chain[-1]) and _stands(rule, len(rule.path) - 2, chain, len(chain) - 2):
            out.update(rule.declared)
    return out


def _is(simple: _Simple, node: Any) -> bool:
    tag, classes, own = simple
    said = node.attributes
    if (tag and tag != node.tag) or (own and own != said.get("id")):
        return False
    return not classes or classes <= set(said.get("class", "").split())


def _stands(rule: Rule, part: int, chain: Sequence[Any], last: int) -> bool:
    """Whether the elements of the rule's path up to `part` are found, in order, among `chain` up to `last`."""
    while part >= 0:
        if last < 0:
            return False
        if _is(rule.path[part], chain[last]):
            part -= 1
        elif rule.child[part]:
            return False
        last -= 1
    return True
