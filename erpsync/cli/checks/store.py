"""The store: whether it is there, opens, is whole at a quick look, and lies where a store may lie."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from erpsync.cli.checks.finding import Finding, bad, together, warn
from erpsync.cli.output import command_line
from erpsync.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew
from erpsync.terminal import size

if TYPE_CHECKING:
    from pathlib import Path

    from erpsync.cli.checks.patient import Patient
    from erpsync.errors import ErpsyncError

_LOOK_SECONDS = 0.25
_STUCK_SECONDS = 0.25
_NEWS = timedelta(hours=24)


def store(patient: Patient) -> Finding:
    """Whether the store can be worked with."""
    path, files = patient.path, patient.files
    if not files.there:
        return _absent(patient)
    wrong = _by_its_files(patient)
    if patient.store_error is not None:
        return together([_cannot_open(patient.store_error, path), *wrong], good="")
    try:
        said, found = _by_its_rows(patient)
    except StoreError as error:
        return together([_cannot_open(error, path), *wrong], good="")
    return together([*wrong, *found], good=f"{path.name}, {said}")


def _absent(patient: Patient) -> Finding:
    path = patient.path
    look = command_line("ls", "-la", str(path.parent))
    if path.is_symlink() or path.is_dir() or not path.parent.is_dir():
        return bad(f"{path.name} is no file, or its folder is not there", look)
    if patient.files.was_here:
        return bad(
            f"{path.name} is {'empty' if path.exists() else 'gone'}: what lies beside it says that it was here", look
        )
    kinds = dict.fromkeys(flow.kind for flow in patient.landscape.flows)
    run = command_line("erpsync", "sync", *kinds) if kinds else "erpsync check"
    return bad(f"{path.name} does not exist yet: nothing was synchronised here", run)


def _cannot_open(error: ErpsyncError, path: Path) -> Finding:
    """What keeps the store from being opened, in the words every command has for it."""
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    match error:
        case StoreDamaged():
            run = "erpsync store verify"
        case StoreTooNew():
            run = "erpsync --version"
        case StoreLocked():
            run = "erpsync doctor"
        case _ if "store migrate" in error.hint:
            run = "erpsync store migrate"
        case _:
            run = command_line("ls", "-la", str(path.parent))
    return bad(text, run)


def _by_its_files(patient: Patient) -> list[Finding]:
    from erpsync.store.whereabouts import file_system, is_over_a_network, stuck_writer  # noqa: PLC0415  (not for help)

    path, files, log, wrong = patient.path, patient.files, patient.log, []
    kind = file_system(path.parent, mounts=patient.mounts)
    if is_over_a_network(kind):
        text = f"it lies on a network file system ({kind}), where SQLite's locks do not hold: move it to a local disk"
        wrong.append(bad(text, "erpsync workers stop --all"))
    if files.not_ours:
        look = command_line("ls", "-la", str(path.parent))
        wrong.append(bad(f"no permission to read and write {', '.join(files.not_ours)}", look))
    if files.open_to_others:
        names = [str(path.with_name(name)) for name, _ in files.open_to_others]
        modes = ", ".join(f"{name} {mode:04o}" for name, mode in files.open_to_others)
        wrong.append(warn(f"others may read it: {modes}", command_line("chmod", "600", *names)))
    if log is not None and log.too_long:
        text = f"its log has {size(log.in_use)} in use, and is not begun anew"
        who = f": {', '.join(log.kept_by)} holds an old moment of it" if log.kept_by else ""
        run = command_line("ps", "-fp", log.kept_by[0].split(" ")[1]) if log.kept_by else "erpsync workers list"
        wrong.append(warn(f"{text}{who}", run))
    if who := stuck_writer(path, seconds=_STUCK_SECONDS):
        pid = who.split(" ")[1]
        run = command_line("ps", "-fp", pid) if pid.isdigit() else "erpsync workers list"
        wrong.append(bad(f"{who} holds it, and nobody else can write", run))
    return wrong


def _by_its_rows(patient: Patient) -> tuple[str, list[Finding]]:
    """What the store says of itself, and what is wrong with it."""
    from erpsync.store.identity import line_beside, taken_for_backup  # noqa: PLC0415  (as above)
    from erpsync.store.reading.checkup import itself, quick_look  # noqa: PLC0415  (as above)

    line, wrong = line_beside(patient.path), []
    with patient.read() as db:
        look = quick_look(db, seconds=_LOOK_SECONDS)
        if look.wrong:
            more = f" and {len(look.wrong) - 1} more" if len(look.wrong) > 1 else ""
            return "", [bad(f"it is damaged: {look.wrong[0]}{more}", "erpsync store verify")]
        found, why = itself(db), taken_for_backup(db, patient.path, line)
    whole = (
        "whole at a quick look" if look.looked == look.tables else f"{look.looked} of {look.tables} tables looked at"
    )
    sizes = f"{size(patient.files.size)}, log {size(patient.files.log_size)}"
    if found is None:
        return sizes, [bad("it was never finished making", "erpsync run")]
    said = f"{sizes}; schema {found.schema}, {found.store_id} epoch {found.epoch}; {whole}"
    if why:
        text = f"the next worker takes it for a backup: {why}; it gets a new epoch, so that no key is used twice"
        wrong.append(warn(text, "erpsync store info"))
    if found.restored_at is not None:
        at = patient.times.both(found.restored_at)
        if not found.seen_to:
            text = f"a backup was restored at {at}; no worker has seen to it: what was sent since the copy is not known"
            wrong.append(warn(text, "erpsync run"))
        elif patient.now - found.restored_at < _NEWS:
            text = f"a backup was restored at {at}: what was sent since the copy is looked for again, or asks a person"
            wrong.append(warn(text, command_line("erpsync", "messages", "list", "--where", "state = held")))
        else:
            said += f", restored {patient.times.since(found.restored_at)}"
    return said, wrong
