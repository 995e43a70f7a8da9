"""The [owners] and [[flows]] of a landscape. One rule: documents travel from the owner of their kind, parents too."""

from __future__ import annotations

import re

from erpsync.config.landscape import Flow
from erpsync.config.tables import Mistakes, Table
from erpsync.domain.kinds import Kind, kind_or_none, kinds
from erpsync.errors import FilterError

# DESIGN's kinds that no version has built yet
_LATER_KINDS = frozenset(("price", "return", "tax_quote", "invoice", "credit_note", "payment"))
_LATER_KEYS = ("conflict", "others", "review", "tolerance", "via", "steps")
_FLOW_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\"]{1,60}")
_DEFAULT = Flow(name="", kind="", source="", targets=())


def read_owners(root: Table, systems: dict[str, object]) -> dict[str, str]:
    """The owner of each kind named under [owners]."""
    table = root.table("owners")
    mistakes = table.mistakes
    owners: dict[str, str] = {}
    for key, value in table.values.items():
        path, kind = ("owners", key), kind_or_none(key)
        if isinstance(value, dict):
            rule = not value or {"owner", "others", "review", "conflict"} & set(value)
            for part in [path] if rule else [(*path, field) for field in value]:
                mistakes.not_built(part)
        elif "." in key or "@" in key or (kind is None and _is_later(key)):
            mistakes.not_built(path)
        elif kind is None:
            mistakes.no_such(path, "kind", key, kinds(), label="Kinds")
        elif kind.name in owners:
            mistakes.at(path, f"the owner of {kind.name} is there twice", on_key=True)
        elif value == "origin":
            mistakes.not_built(path, found=value)
        elif not isinstance(value, str):
            mistakes.at(path, "is not a text", found=value, hint=f'{key} = "erp"')
        elif value not in systems:
            mistakes.no_such(path, "system", value, sorted(systems), label="Systems")
        else:
            owners[kind.name] = value
    return owners


def read_flows(root: Table, systems: dict[str, object], owners: dict[str, str]) -> tuple[Flow, ...]:
    """Every flow that can be read, checked against each other and the owners."""
    read: list[tuple[Flow, Table]] = []
    for table in root.tables("flows"):
        before = len(table.mistakes)
        flow = _flow(table, systems)
        if any(name == flow.name for name in (other.name for other, _ in read)):
            table.wrong("name", "another flow has this name")
        if len(table.mistakes) == before:
            read.append((flow, table))
    named = {str(table.values.get("name")) for table in root.tables("flows")}
    _check_paths(read)
    _check_owners(read, owners)
    if len(named) == len(read):  # else a flow that could not be read may be the one that brings the parents
        _check_parents(read, owners, root.mistakes)
    return tuple(flow for flow, _ in read)


def _flow(table: Table, systems: dict[str, object]) -> Flow:
    name = table.text("name", required=True, hint="every flow has a name of its own")
    if name and not _FLOW_NAME.fullmatch(name):
        table.wrong("name", "is no name for a flow", hint="at most 60 characters, without quotes")
    kind = _kind(table)
    source = table.text("from", required=True, hint="the system that tells these documents")
    targets = table.names("to")
    if not table.has("to"):
        table.mistakes.at(table.path, "to is missing", hint='to = ["..."], the systems that are told')
    elif table.values["to"] == []:
        table.wrong("to", "is empty", hint="the systems that are told", shown=False)
    if source and source not in systems:
        table.mistakes.no_such((*table.path, "from"), "system", source, sorted(systems), label="Systems")
    for index, target in enumerate(targets):
        path = (*table.path, "to", index)
        if target not in systems:
            table.mistakes.no_such(path, "system", target, sorted(systems), label="Systems")
        elif target == source:
            table.mistakes.at(path, "is the system the flow comes from", found=target)
        elif target in targets[:index]:
            table.mistakes.at(path, "is there twice", found=target)
    where = table.text("where")
    if kind and where:
        from erpsync.domain.filter_documents import check_document_filter  # noqa: PLC0415  (loads the kind's model)
        from erpsync.domain.filters import parse  # noqa: PLC0415  (most flows have no filter)

        try:
            check_document_filter(kind, parse(where))
        except FilterError as error:
            table.wrong("where", error.message, hint=error.hint)
    flow = Flow(
        name=name,
        kind=kind.name if kind else "",
        source=source,
        targets=targets,
        every=table.duration("every", _DEFAULT.every),
        full_every=table.duration("full_every", _DEFAULT.full_every),
        watch=table.flag("watch"),
        where=where,
        weight=table.whole("weight", 1, most=1000),
        mode="off" if table.choice("mode", "active", ("active", "off"), later=("shadow",)) == "off" else "active",
    )
    table.finish(later=_LATER_KEYS)
    return flow


def _kind(table: Table) -> Kind | None:
    word = table.text("kind", required=True, hint="" if table.has("kind") else f"one of: {', '.join(kinds())}")
    if (kind := kind_or_none(word)) is not None:
        return kind
    if _is_later(word):
        table.mistakes.not_built((*table.path, "kind"), found=word)
    elif word:
        table.mistakes.no_such((*table.path, "kind"), "kind", word, kinds(), label="Kinds")
    return None


def _is_later(word: str) -> bool:
    return word in _LATER_KINDS or word.removesuffix("s") in _LATER_KINDS


def _check_paths(read: list[tuple[Flow, Table]]) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for flow, table in read:
        for index, target in enumerate(flow.targets):
            first = seen.setdefault((flow.kind, flow.source, target), flow.name)
            if first != flow.name:
                text = f'flow "{first}" carries {flow.kind} from {flow.source} to {target} already'
                table.mistakes.at(
                    (*table.path, "to", index), text, found=target, hint="one flow a kind, source and target"
                )


def _check_owners(read: list[tuple[Flow, Table]], owners: dict[str, str]) -> None:
    sources: dict[str, str] = {}
    for flow, table in read:
        first = sources.setdefault(flow.kind, flow.source)
        owner = owners.get(flow.kind)
        path = (*table.path, "from")
        if owner is not None and flow.source != owner:
            hint = f'from = "{owner}": only the owner\'s documents travel'
            table.mistakes.at(path, f"{flow.kind} is owned by {owner}", found=flow.source, nearest=owner, hint=hint)
        elif owner is None and flow.source != first:
            hint = (
                f'one system owns a kind: [owners] {flow.kind} = "{first}" or "{flow.source}", and flows from it alone'
            )
            table.mistakes.at(
                path, f"{flow.kind} comes from {first} too, and has no owner", found=flow.source, hint=hint
            )


def _check_parents(read: list[tuple[Flow, Table]], owners: dict[str, str], mistakes: Mistakes) -> None:
    there: dict[str, set[str]] = {kind: {owner} for kind, owner in owners.items()}
    for flow, _ in read:
        if flow.mode == "active":
            there.setdefault(flow.kind, set()).update((flow.source, *flow.targets))
    for flow, table in read:
        kind = kind_or_none(flow.kind)
        if flow.mode != "active" or kind is None:
            continue
        for parent in kind.parent_kinds:
            for index, target in enumerate(flow.targets):
                if target not in there.get(parent, ()):
                    named = kind_or_none(parent)
                    text = f"no flow brings {target} the {named.plural if named else parent} that {kind.plural} name"
                    hint = f'a flow of kind "{parent}" to {target}, or {target} as the owner of {parent}'
                    mistakes.at((*table.path, "to", index), text, found=target, hint=hint)
