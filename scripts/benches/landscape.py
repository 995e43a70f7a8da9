"""A landscape for benches: one source that tells, targets that are told, opened as a worker opens it.

Everything is the product's own: a landscape file, spec files, the http adapter, the store on disk. Only the systems
behind the addresses are not there, unless a bench starts one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from erpsync.engine.context import Context
from erpsync.store.wal import PIECES, lengthen
from erpsync.workbench import Workbench, collect_rarely

SOURCE = "erp"
NOBODY = "http://127.0.0.1:9"
READ_ONLY = {
    "customer": 'scan = { path = "/customers" }\nfields = { number = "number" }\n',
    "item": 'scan = { path = "/items" }\nfields = { sku = "sku" }\n',
    "order": 'scan = { path = "/orders" }\nfields = { number = "number" }\n',
    "movement": 'scan = { path = "/movements" }\nfields = { number = "number" }\n',
    "stock": 'scan = { path = "/stock" }\nfields = { sku = "sku", location = "location" }\n',
}
TAKES_ALL = """write = { once = "idempotent" }
create = { path = "/documents", headers = { Idempotency-Key = "{once_key}" }, answer = { far_id = "id" } }
body = "=@"
"""
_HEAD = 'spec = 1\ndecimals = "text"\nname = "bench"\n\n[probe]\npath = "/"\n\n'


@contextmanager
def opened(
    folder: Path,
    *,
    kinds: Sequence[str],
    targets: Mapping[str, str],
    writes: Mapping[str, str] | None = None,
    url: str = NOBODY,
    concurrency: int = 64,
) -> Iterator[Context]:
    """The engine's context on a store in ``folder``; ``targets`` by name with the kinds' spec in ``writes``.

    ``writes`` has, by kind, how a target takes it (None: any document as it is); ``url`` is where targets are.
    """
    workbench = Workbench(
        landscape_file=str(
            write_landscape(folder, kinds=kinds, targets=targets, writes=writes, url=url, concurrency=concurrency)
        )
    )
    collect_rarely()  # this and the log as a worker does
    try:
        context = workbench.context()
        for _ in range(PIECES):
            context.store.writer.call(lambda _: lengthen(context.store.path))
        yield context
    finally:
        workbench.close()


def write_landscape(
    folder: Path,
    *,
    kinds: Sequence[str],
    targets: Mapping[str, str],
    writes: Mapping[str, str] | None = None,
    url: str = NOBODY,
    concurrency: int = 64,
) -> Path:
    """The landscape file written into ``folder``, its spec files beside it."""
    telling = _HEAD + "".join(f"[kinds.{kind}]\n{READ_ONLY[kind]}\n" for kind in kinds)
    taking = _HEAD + "".join(f"[kinds.{kind}]\n{(writes or {}).get(kind, TAKES_ALL)}\n" for kind in kinds)
    (folder / "source.toml").write_text(telling, encoding="utf-8")
    (folder / "target.toml").write_text(taking, encoding="utf-8")
    systems = _system(SOURCE, "erp", "source.toml", NOBODY, 4) + "".join(
        _system(name, role, "target.toml", url, concurrency) for name, role in targets.items()
    )
    names = ", ".join(f'"{name}"' for name in targets)
    flows = "".join(
        f'[[flows]]\nname = "{kind}s"\nkind = "{kind}"\nfrom = "{SOURCE}"\nto = [{names}]\n\n' for kind in kinds
    )
    file = folder / "erpsync.toml"
    file.write_text(f'name = "bench"\n\n[store]\nurl = "sqlite:///erpsync.db"\n\n{systems}{flows}', encoding="utf-8")
    return file


def _system(name: str, role: str, spec: str, url: str, concurrency: int) -> str:
    limits = f"limits = {{ concurrency = {concurrency} }}"
    return f'[systems.{name}]\nrole = "{role}"\nadapter = "http"\nspec = "{spec}"\nurl = "{url}"\n{limits}\n\n'
