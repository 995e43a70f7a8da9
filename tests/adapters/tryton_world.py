"""A small Tryton kept in memory: its models, its domains, its buttons. ``tryton_stand_in`` puts it on the wire.

It answers what the real one was seen to answer, and no more; the tests under ``tests/long`` hold both to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
RELATED = {
    "template": "product.template",
    "default_uom": "product.uom",
    "account_category": "product.category",
    "company": "company.company",
    "currency": "currency.currency",
    "addresses": "party.address",
    "contact_mechanisms": "party.contact_mechanism",
    "country": "country.country",
    "subdivision": "country.subdivision",
    "tax_identifier": "party.identifier",
    "party": "party.party",
    "lines": "sale.line",
    "product": "product.product",
}
OWNED = {"addresses": "party", "contact_mechanisms": "party", "lines": "sale"}
COLUMNS: dict[str, dict[str, Any]] = {
    "party.party": {
        "code": None,
        "name": None,
        "active": 1,
        "addresses": [],
        "contact_mechanisms": [],
        "tax_identifier": None,
        "customer_payment_term": None,
    },
    "party.address": {
        "party": None,
        "attn": None,
        "street": None,
        "city": None,
        "postal_code": None,
        "country": None,
        "subdivision": None,
        "active": 1,
    },
    "party.contact_mechanism": {"party": None, "type": "phone", "value": None, "active": 1},
    "sale.sale": {
        "reference": None,
        "number": None,
        "state": "draft",
        "party": None,
        "company": 1,
        "currency": 1,
        "sale_date": None,
        "shipping_date": None,
        "comment": None,
        "lines": [],
        "invoice_address": None,
        "shipment_address": None,
        "payment_term": None,
        "shipment_cost_method": "order",
        "warehouse": None,
    },
    "sale.line": {
        "sale": None,
        "type": "line",
        "product": None,
        "unit": None,
        "quantity": None,
        "unit_price": None,
        "note": None,
        "taxes": [],
    },
}


class Said(Exception):  # noqa: N818  (named by what it stands for)
    """An error as it stands in the envelope."""


class Gone(Exception):  # noqa: N818
    """An HTTP status without an envelope."""


@dataclass
class World:
    """What a Tryton holds, and the moment by its clock."""

    at: datetime = NOON
    models: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    contexts: list[dict[str, Any]] = field(default_factory=list)
    quantities: dict[int, float] = field(default_factory=dict)
    reserved: dict[int, float] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    preferences: dict[str, Any] = field(
        default_factory=lambda: {"company": 1, "language": "en", "company.rec_name": "Acme"}
    )

    def add(self, model: str, **values: Any) -> int:
        """A new record, stamped now."""
        table = self.models.setdefault(model, {})
        number = max(table, default=0) + 1
        record = {**COLUMNS.get(model, {}), "id": number, "last_modified_at": self.at}
        table[number] = record
        self._put(model, record, values)
        return number

    def change(self, model: str, number: int, **values: Any) -> None:
        """Change a record, stamped now; what it holds keeps its own stamp."""
        self.models[model][number]["last_modified_at"] = self.at
        self._put(model, self.models[model][number], values)

    def goods(self, count: int) -> None:
        """So many products, SKU-1 and on, at 6.00 and on, a hundred and more of each."""
        self.add("product.uom", name="Unit")
        category = self.add("product.category", customer_taxes_used=[7])
        for number in range(1, count + 1):
            price = Decimal(5 + number).quantize(Decimal("0.01"))
            of = {"list_price": price, "default_uom": 1, "account_category": category, "type": "goods", "active": 1}
            template = self.add("product.template", **of)
            name = {"code": f"SKU-{number}", "name": f"Part {number}", "description": None}
            product = self.add("product.product", **name, active=1, template=template, default_uom=1)
            self.quantities[product] = 100.0 + number

    def _put(self, model: str, record: dict[str, Any], values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name in OWNED:
                record[name] = list(record[name])
                for act, *rest in value:
                    self._command(name, record, act, rest)
            elif model == "sale.line" and name == "taxes":
                record[name] = [tax for act, taxes in value if act == "add" for tax in taxes]
            else:
                record[name] = value

    def _command(self, name: str, record: dict[str, Any], act: str, rest: list[Any]) -> None:
        match act:
            case "create":
                record[name] += [self.add(RELATED[name], **{OWNED[name]: record["id"]}, **values) for values in rest[0]]
            case "write":
                for number in rest[0]:
                    self.change(RELATED[name], number, **rest[1])
            case "delete":
                record[name] = [number for number in record[name] if number not in rest[0]]
                for number in rest[0]:
                    del self.models[RELATED[name]][number]

    # -- asking

    def _value(self, model: str, record: dict[str, Any], path: str, context: dict[str, Any]) -> Any:
        head, _, rest = path.partition(".")
        if head == "_timestamp":
            return str(record["last_modified_at"].timestamp())
        if head == "quantity" and model == "product.product":
            if not context.get("locations"):
                return 0.0
            free = self.reserved.get(record["id"], 0.0) if context.get("stock_assign") else 0.0
            return self.quantities.get(record["id"], 0.0) - free
        if head == "untaxed_amount":
            lines = [self.models["sale.line"][line] for line in record["lines"]]
            return sum((Decimal(str(line["quantity"])) * line["unit_price"] for line in lines), Decimal(0))
        if head not in record:
            raise Said(f"'{head}'", "")
        value = record[head]
        if not rest or value is None:
            return value
        return self._value(RELATED[head], self.models[RELATED[head]][value], rest, context)

    def _read(self, model: str, record: dict[str, Any], fields: list[str], context: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {"id": record["id"]}
        nested: dict[str, list[str]] = {}
        for name in fields:
            head, dot, rest = name.partition(".")
            if dot:
                nested.setdefault(head, []).append(rest)
            else:
                told[name] = self._value(model, record, name, context)
        for head, names in nested.items():
            value = self._value(model, record, head, context)
            table = self.models.get(RELATED[head], {})
            if isinstance(value, list):
                told[f"{head}."] = [self._read(RELATED[head], table[number], names, context) for number in value]
            else:
                told[f"{head}."] = None if value is None else self._read(RELATED[head], table[value], names, context)
        return told

    def _fits(self, model: str, record: dict[str, Any], domain: list[Any], context: dict[str, Any]) -> bool:
        if domain and domain[0] == "OR":
            return any(self._fits(model, record, part, context) for part in domain[1:])
        if domain and isinstance(domain[0], str):
            name, operator, value = domain
            mine = self._value(model, record, name, context)
            match operator:
                case "=":
                    return bool(mine == value)
                case "in":
                    return mine in value
                case ">":
                    return bool(mine > value)
            raise AssertionError(f"the stand-in knows no {operator}")
        return all(self._fits(model, record, part, context) for part in domain)

    def _search(self, model: str, domain: list[Any], context: dict[str, Any]) -> list[dict[str, Any]]:
        rows = list(self.models.get(model, {}).values())
        if context.get("active_test", True):
            rows = [row for row in rows if row.get("active", 1)]
        return [row for row in rows if self._fits(model, row, domain, context)]

    # -- answering

    def do(self, method: str, params: list[Any]) -> Any:
        """The result of a method; raises Said."""
        *arguments, context = params
        self.contexts.append(context)
        model, _, name = method.removeprefix("model.").rpartition(".")
        if method == "model.res.user.get_preferences":
            return self.preferences
        if method == "model.res.user.warning.skip":
            self.acknowledged.add(arguments[0])
            return None
        act = getattr(self, f"_{name}_{model.replace('.', '_')}", None) or getattr(self, f"_do_{name}", None)
        if act is None:
            raise Gone(403)
        return act(model, context, *arguments)

    def _do_search_read(self, model: str, context: Any, *asked: Any) -> Any:
        domain, offset, limit, order, fields = asked
        rows = self._search(model, domain, context)
        for name, _ in reversed(order or [["id", "ASC"]]):
            rows.sort(key=lambda row: row[name])
        return [self._read(model, row, fields, context) for row in rows[offset:][:limit]]

    def _do_search_count(self, model: str, context: Any, domain: Any, *_: Any) -> int:
        return len(self._search(model, domain, context))

    def _do_read(self, model: str, context: Any, ids: list[int], fields: list[str]) -> Any:
        return [self._read(model, self.models[model][number], fields, context) for number in ids]

    def _do_fields_get(self, model: str, context: Any, names: list[str]) -> Any:
        known = {**COLUMNS.get(model, {}), "account_category": None}
        return {name: {"name": name} for name in names if name in known}

    def _do_create(self, model: str, context: Any, rows: list[dict[str, Any]]) -> list[int]:
        for row in rows:
            codes = [party["code"] for party in self.models.get("party.party", {}).values()]
            if model == "party.party" and row["code"] in codes:
                raise Said("UserError", ["Le code du tiers doit être unique.", "", None])
        return [self.add(model, **row) for row in rows]

    def _do_write(self, model: str, context: Any, ids: list[int], values: dict[str, Any]) -> None:
        for number in ids:
            stamp = context.get("_timestamp", {}).get(f"{model},{number}")
            if stamp and stamp != self._value(model, self.models[model][number], "_timestamp", context):
                raise Said("ConcurrencyException", "Records were modified in the meanwhile")
            self.change(model, number, **values)

    def _move(self, ids: list[int], allowed: tuple[str, ...], state: str) -> None:
        for number in ids:
            if self.models["sale.sale"][number]["state"] not in allowed:
                raise Said("UserError", ["Transition invalide.", "", None])
            self.change("sale.sale", number, state=state)

    def _quote_sale_sale(self, model: str, context: Any, ids: list[int]) -> None:
        for number in ids:
            if not self.models["sale.sale"][number]["invoice_address"]:
                raise Said("UserError", ["Une adresse de facturation est requise.", "", None])
            if self.models["sale.sale"][number]["shipment_cost_method"] is not None:
                raise Said("UserError", ["La méthode n'est pas valide sans transporteur.", "", None])
        self._move(ids, ("draft",), "quotation")

    def _confirm_sale_sale(self, model: str, context: Any, ids: list[int]) -> None:
        self._move(ids, ("quotation",), "processing")

    def _draft_sale_sale(self, model: str, context: Any, ids: list[int]) -> None:
        self._move(ids, ("quotation", "confirmed", "cancelled"), "draft")

    def _cancel_sale_sale(self, model: str, context: Any, ids: list[int]) -> None:
        self._move(ids, ("draft", "quotation"), "cancelled")
