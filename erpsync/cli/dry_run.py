"""``sync --dry-run``: what a sync would write now, field by field; it leaves nothing anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erpsync.cli.exit_codes import NO, UNREACHABLE
from erpsync.cli.options import Answer
from erpsync.cli.output import command_line, emit, envelope, flush, remark, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.tables import Column, table
from erpsync.terminal import count, padded, plural, quoted, safe, took, width

if TYPE_CHECKING:
    from erpsync.engine.dryrun import DryDocument, DryRun
    from erpsync.engine.sync import SyncRow
    from erpsync.workbench import Workbench

_SHOWN = 20
_VALUE = 60
_VERBS = {"removed": "remove"}


def show(bench: Workbench, names: list[str], *, output: Answer, again: list[str], **wish: Any) -> int:
    """Read, show what would be written, and return the exit code: 3 when nothing could be read, 1 when a part."""
    from erpsync.engine.dryrun import preview  # noqa: PLC0415  (the engine: only where it works)

    with under_way("sync --dry-run", quiet=output is Answer.JSON):
        found = bench.wait_for(lambda: preview(bench, kinds=names, **wish))
    documents = sorted(found.documents, key=lambda document: (_nothing(document), document.key, document.target))
    if output is Answer.JSON:
        emit(envelope(bench, "sync.dry-run", **_answer(found, documents)))
    else:
        say(*lines(found, documents, again=again))
        flush()
        remark(f"read {plural(found.read, 'document')} in {took(found.seconds)}; nothing was written")
    if found.unread and not found.read:
        return UNREACHABLE
    return NO if found.unread or found.refused else 0


def lines(found: DryRun, documents: list[DryDocument], *, again: list[str]) -> list[str]:
    """The preview as the operator reads it: writes first, the documents of one key together."""
    sources = ", ".join(dict.fromkeys(safe(row.source) for row in found.rows)) or "nowhere"
    said = [f"{plural(found.read, 'document')} read from {sources}: {_writes(found, documents)}."]
    keys = list(dict.fromkeys(document.key for document in documents))
    many = len(documents) > _SHOWN
    if many:
        said += ["", *table(_columns(found.rows), found.rows, room=room())]
        documents = documents[:_SHOWN]
    column = max((width(safe(document.target)) for document in documents), default=0)
    last = ""
    for document in documents:
        if document.key != last:
            said += ["", safe(document.key)]
            last = document.key
        said += _document(document, column)
    if many:
        said += ["", f"{_SHOWN} of {count(len(found.documents))} ({plural(len(keys), 'document')}); all: -o json"]
    unread = [
        f"unread   {safe(kind)} from {safe(system)}: {safe(why, limit=160)}" for system, kind, why in found.unread
    ]
    if found.refused:
        unread.append(f"refused  {plural(found.refused, 'document')} could not be read as the kind they are")
    said += ["", *unread] if unread else []
    if found.unread:
        system, _, why = found.unread[0]
        act = "resume" if why == "it is paused" else "probe"
        return [*said, "", f"next: {command_line('erpsync', 'systems', act, system)}"]
    return [*said, "", f"next: {command_line('erpsync', *again) if found.writes else 'erpsync status'}"]


def _nothing(document: DryDocument) -> bool:
    return document.would in ("nothing", "filtered")


def _writes(found: DryRun, documents: list[DryDocument]) -> str:
    if not found.writes:
        return "nothing would be written"
    of_target: dict[str, int] = {}
    for document in documents:
        if document.would in ("create", "update", "removed"):
            of_target[document.target] = of_target.get(document.target, 0) + 1
    parts = [f"{number:,} in {safe(target)}" for target, number in sorted(of_target.items())]
    each = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{plural(found.writes, 'write')} would be made, {each}"


def _document(document: DryDocument, column: int) -> list[str]:
    would = _VERBS.get(document.would, document.would)
    far = f"far id {safe(document.far_id, limit=40)}" if document.far_id else ""
    more = "; ".join(part for part in (far, safe(document.reason, limit=120)) if part)
    said = [f"  {padded(safe(document.target), column)}  {would:<8}  {more}".rstrip()]
    names = max((len(safe(name, limit=40)) for name, _, _ in document.fields), default=0)
    for name, before, after in document.fields:
        change = _value(after) if before is None else f"{_value(before)} -> {_value(after)}"
        said.append(f"  {'':<{column}}  {padded(safe(name, limit=40), names)}  {change}")
    return said


def _value(value: str | None) -> str:
    return (
        "nothing"
        if value is None
        else quoted(value, limit=_VALUE)
        if " " in value or not value
        else safe(value, limit=_VALUE)
    )


def _columns(rows: list[SyncRow]) -> list[Column[SyncRow]]:
    columns: list[Column[SyncRow]] = [
        Column("KIND", lambda row: safe(row.kind)),
        Column("TO", lambda row: safe(row.target)),
    ]
    for heading, name in (
        ("READ", "read"),
        ("CREATE", "created"),
        ("UPDATE", "updated"),
        ("NOTHING", "unchanged"),
        ("FILTERED", "skipped"),
        ("HELD", "held"),
    ):
        if name in ("skipped", "held") and not any(getattr(row, name) for row in rows):
            continue
        columns.append(Column(heading, lambda row, name=name: f"{getattr(row, name):,}", right=True))  # type: ignore[misc]  # the default binds the name
    return columns


def _answer(found: DryRun, documents: list[DryDocument]) -> dict[str, object]:
    items = [
        {
            "key": document.key,
            "to": document.target,
            "would": document.would,
            "far_id": document.far_id or None,
            "reason": document.reason or None,
            "fields": [
                {"field": name, "from": before, "to": after, "owner": None, "verdict": "write"}
                for name, before, after in document.fields
            ],
        }
        for document in documents
    ]
    return {
        "read": found.read,
        "writes": found.writes,
        "refused": found.refused,
        "seconds": f"{found.seconds:.1f}",
        "total": len(items),
        "shown": len(items),
        "items": items,
        "unread": [{"system": system, "kind": kind, "error": why} for system, kind, why in found.unread],
    }
