"""The [systems] of a landscape. One rule: a secret stands nowhere in the file, only where it is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from erpsync.config.durations import rate, size
from erpsync.config.landscape import ROLES, Breaker, Limits, Retry, SecretRef, System
from erpsync.config.tables import Mistakes, Table, expand

if TYPE_CHECKING:
    from erpsync.config.places import Path as Where

SYSTEM_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
SPECS = Path(__file__).parent.parent / "adapters" / "specs"
_LATER_ROLES = ("notify",)
_LATER_ADAPTERS = ("hook", "exec")
_LATER_KEYS = ("when_stale",)
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key)$", re.IGNORECASE
)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# what a system of each adapter may and must say beside role, options, limits, retry, breaker and run_by
ADAPTERS: dict[str, dict[str, bool]] = {
    "files": {},
    "http": {"url": True, "spec": True, "secret": False},
    "tryton": {"url": True, "secret": False},
}


def read_systems(root: Table, folder: Path, *, retry: Retry, breaker: Breaker) -> dict[str, System]:
    """Every system that can be read, by name."""
    table = root.table("systems")
    if root.values.get("systems", {}) == {}:
        table.mistakes.at(("systems",), "there are no systems", hint="[systems.erp] begins one")
    found: dict[str, System] = {}
    for name in table.values:
        path = ("systems", name)
        if not SYSTEM_NAME.fullmatch(name):
            hint = "small letters, digits, - and _, beginning with a letter"
            table.mistakes.at(path, "is no name for a system", hint=hint, on_key=True)
        found[name] = _system(name, table.table(name), folder, retry, breaker)
    return found


def read_retry(table: Table, base: Retry) -> Retry:
    """[retry], over ``base`` where it says nothing."""
    retry = Retry(
        first=table.duration("first", base.first),
        longest=table.duration("longest", base.longest),
        tries=table.whole("tries", base.tries, most=1000),
        expires=table.duration("expires", base.expires),
        unknown_after=table.duration("unknown_after", base.unknown_after),
    )
    table.finish()
    if retry.longest < retry.first and (table.has("first") or table.has("longest")):
        table.wrong(
            "longest" if table.has("longest") else "first",
            "is shorter than first" if table.has("longest") else "is longer than longest",
        )
    return retry


def read_breaker(table: Table, base: Breaker) -> Breaker:
    """[breaker], over ``base`` where it says nothing."""
    breaker = Breaker(
        failures=table.whole("failures", base.failures, most=1000),
        within=table.duration("within", base.within),
        probe=table.duration("probe", base.probe),
        probe_longest=table.duration("probe_longest", base.probe_longest),
    )
    table.finish()
    if breaker.probe_longest < breaker.probe and (table.has("probe") or table.has("probe_longest")):
        table.wrong(
            "probe_longest" if table.has("probe_longest") else "probe",
            "is shorter than probe" if table.has("probe_longest") else "is longer than probe_longest",
        )
    return breaker


def _system(name: str, table: Table, folder: Path, retry: Retry, breaker: Breaker) -> System:
    adapter = table.choice("adapter", "", tuple(ADAPTERS), later=_LATER_ADAPTERS)
    if not table.has("adapter"):
        table.mistakes.at(table.path, "adapter is missing", hint=f"adapter = {' or '.join(map(_quoted, ADAPTERS))}")
    takes = ADAPTERS.get(adapter, {"url": False, "spec": False, "secret": False})
    for key in ("url", "spec", "secret"):
        if table.has(key) and key not in takes:
            table.refuse(key, f"the {adapter} adapter takes no {key}", hint="leave it out")
        elif takes.get(key) and not table.has(key):
            table.mistakes.at(table.path, f"{key} is missing", hint=f"the {adapter} adapter needs it")
    system = System(
        name=name,
        role=table.choice("role", "other", tuple(r for r in ROLES if r not in _LATER_ROLES), later=_LATER_ROLES),
        adapter=adapter,
        url=_url(table) if "url" in takes else "",
        spec=_spec(table, folder) if "spec" in takes else None,
        secret=_secret(table, folder) if "secret" in takes else None,
        options=_options(table),
        limits=_limits(table.table("limits")),
        retry=read_retry(table.table("retry"), retry),
        breaker=read_breaker(table.table("breaker"), breaker),
        run_by=table.text("run_by"),
        folder=folder,
    )
    table.finish(later=_LATER_KEYS)
    return system


def _url(table: Table) -> str:
    before = len(table.mistakes)
    url = table.expanded("url")
    if not url or len(table.mistakes) > before:
        return ""
    plain = "${" not in str(table.values["url"])
    try:
        parts = urlsplit(url)
        port_good = parts.port is None or parts.port > 0
    except ValueError:
        table.wrong("url", "is no address", hint="like https://erp.example.com:8000", shown=False)
        return ""
    if parts.username is not None or parts.password is not None:
        hint = f'secret = "env:{_variable(str(table.path[-1]))}"; change that password, it stood in a file'
        table.mistakes.at((*table.path, "url"), "url holds a user or password", hint=hint, on_key=True)
    elif parts.scheme not in ("http", "https") or not _is_host(parts.hostname) or not port_good or not _printable(url):
        table.wrong("url", "is no http or https address", hint="like https://erp.example.com:8000", shown=plain)
    elif parts.fragment or parts.query:
        table.wrong("url", "has a query or fragment", hint="the address alone, without ? and #", shown=plain)
    return url


def _is_host(name: str | None) -> bool:
    if name is None or name.isascii():
        return bool(name)
    import idna  # noqa: PLC0415  (large, and nearly every host is named in plain letters)

    try:
        idna.encode(name, uts46=True)
    except idna.IDNAError:
        return False
    return True


def _spec(table: Table, folder: Path) -> Path | None:
    written = table.text("spec")
    if not written:
        return None
    spec = (folder / written).absolute()
    packaged = SPECS / f"{written}.toml"
    there = _is_file(spec)
    if not there and SYSTEM_NAME.fullmatch(written) and _is_file(packaged):
        return packaged
    if not there:
        with_erpsync = sorted(path.stem for path in SPECS.glob("*.toml"))
        hint = f"a path from {folder.name or 'here'}/" + (
            f", or one of: {', '.join(with_erpsync)}" if with_erpsync else ""
        )
        table.wrong("spec", "no such file", hint=hint)
    return spec


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or no name at all
        return False


def _secret(table: Table, folder: Path) -> SecretRef | None:
    written = table.text("secret")
    if not written:
        return None
    scheme, _, rest = written.partition(":")
    path = (*table.path, "secret")
    if scheme == "keyring":
        table.mistakes.not_built(path, found="keyring:")
    elif scheme == "env" and _ENV_NAME.fullmatch(rest):
        return SecretRef(scheme="env", name=rest)
    elif scheme == "file" and rest and "\0" not in rest:
        return SecretRef(scheme="file", name=str((folder / rest).absolute()))
    elif scheme == "env":
        table.wrong(
            "secret",
            "names no environment variable",
            hint=f'secret = "env:{_variable(str(table.path[-1]))}"',
            shown=False,
        )
    elif scheme == "file":
        table.wrong("secret", "names no file", hint='secret = "file:PATH"')
    else:
        _written_out(table.mistakes, path, str(table.path[1]), "secret")
    return None


def _options(table: Table) -> dict[str, Any]:
    options = table.table("options")
    for path, value in _texts(options.values, options.path):
        key = next(part for part in reversed(path) if isinstance(part, str))
        if _SECRET_KEY.search(key) and not re.fullmatch(r"(?:env|file):.+", value):
            _written_out(table.mistakes, path, str(table.path[1]), ".".join(map(str, path[2:])))
    expanded: dict[str, Any] = expand(dict(options.values), options.path, table.mistakes)
    return expanded


def _limits(table: Table) -> Limits:
    base = Limits()
    timeout = table.duration("timeout", base.timeout)
    deadline = table.duration("deadline", max(base.deadline, timeout))
    if not table.has("timeout"):
        timeout = min(timeout, deadline)
    if deadline < timeout:
        table.wrong("deadline", "is shorter than the timeout", hint="timeout is one request, deadline the whole write")
    settle_after = table.duration("settle_after", base.believes_after) if table.has("settle_after") else None
    limits = Limits(
        rate=table.read("rate", rate, None, hint='like "20/s" or "100/m"'),
        concurrency=table.whole("concurrency", base.concurrency, most=1000),
        timeout=timeout,
        deadline=deadline,
        settle_after=settle_after,
        max_answer=table.read("max_answer", size, base.max_answer, hint='like "16MiB" or "1MB"'),
    )
    table.finish()
    return limits


def _texts(value: Any, path: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, (*path, index))
    elif isinstance(value, str):
        yield path, value


def _written_out(mistakes: Mistakes, path: Where, system: str, key: str) -> None:
    hint = f'secret = "env:{_variable(system)}"; change that token, it stood in a file'
    mistakes.at(path, f"{key} is written out", hint=hint, on_key=True)


def _variable(system: str) -> str:
    name = re.sub(r"[^A-Z0-9]", "_", system.upper())
    return f"{name if name[:1].isalpha() else 'SYSTEM_' + name}_TOKEN"


def _printable(url: str) -> bool:
    return url.isprintable() and " " not in url


def _quoted(name: str) -> str:
    return f'"{name}"'
