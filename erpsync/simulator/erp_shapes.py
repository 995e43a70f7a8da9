"""What the ERP calls its fields: flat, in words with underscores, decimals as texts, prices to the cent."""

from __future__ import annotations

from erpsync.simulator.fields import DAY, DECIMAL, FLAG, MOMENT, NUMBER_TEXT, PRICE, TEXT, Field, Link, Shape


def _same(names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, TEXT) for name in names.split())


_ITEM = Link("sku", "item", "sku", "item_id")
_ADDRESS = "name street city region postal_code country"

ERP = (
    Shape(
        kind="item",
        collection="items",
        word="item",
        number=("sku",),
        fields=(
            Field("sku", "sku", NUMBER_TEXT, required=True),
            *_same("name description unit"),
            Field("list_price", "price", PRICE),
            *_same("currency barcode category"),
            Field("weight", "weight", DECIMAL),
            Field("reorder_level", "reorder_point", DECIMAL),
            Field("web_text", "web_description", TEXT),
            Field("active", "active", FLAG),
        ),
    ),
    Shape(
        kind="customer",
        collection="customers",
        word="customer",
        number=("number",),
        fields=(
            Field("number", "number", NUMBER_TEXT, required=True),
            *_same("name contact email phone street city region postal_code country tax_number currency"),
            Field("active", "active", FLAG),
        ),
    ),
    Shape(
        kind="order",
        collection="orders",
        word="order",
        number=("reference",),
        theirs="document_no",
        net=Field("net_amount", "", PRICE),
        fields=(
            Field("reference", "number", NUMBER_TEXT, required=True),
            Field("currency", "currency", TEXT, required=True),
            Field("order_date", "ordered_on", DAY),
            Field("requested_date", "requested_on", DAY),
            Field("customer_po", "purchase_order", TEXT),
            *(Field(f"ship_to_{part}", f"ship_{part}", TEXT) for part in _ADDRESS.split()),
            Field("freight", "freight", PRICE),
            Field("total", "total", PRICE),
            Field("note", "note", TEXT),
            Field("cancelled", "cancelled", FLAG),
        ),
        links=(Link("customer", "customer", "customer_number", "customer_id"),),
        lines="lines",
        line_fields=(
            Field("line_no", "line", NUMBER_TEXT, required=True),
            Field("quantity", "quantity", DECIMAL, required=True),
            Field("unit_price", "unit_price", PRICE),
            Field("discount", "discount", DECIMAL),
        ),
        line_links=(_ITEM,),
    ),
    Shape(
        kind="shipment",
        collection="shipments",
        word="shipment",
        number=("reference",),
        fields=(
            Field("reference", "number", NUMBER_TEXT, required=True),
            Field("location", "location", NUMBER_TEXT),
            Field("shipped_at", "shipped_at", MOMENT),
            *_same("carrier carrier_service tracking currency"),
            Field("total", "total", PRICE),
            Field("cancelled", "cancelled", FLAG),
        ),
        links=(Link("order", "order", "order_reference", "order_id"),),
        lines="lines",
        line_fields=(
            Field("line_no", "line", NUMBER_TEXT, required=True),
            Field("order_line", "order_line", NUMBER_TEXT),
            Field("quantity", "quantity", DECIMAL, required=True),
        ),
        line_links=(_ITEM,),
    ),
    Shape(
        kind="movement",
        collection="movements",
        word="movement",
        number=("reference",),
        fields=(
            Field("reference", "number", NUMBER_TEXT, required=True),
            Field("type", "type", TEXT, required=True),
            Field("location", "location", NUMBER_TEXT, required=True),
            Field("quantity", "quantity", DECIMAL, required=True),
            Field("happened_at", "happened_at", MOMENT),
            Field("source_reference", "reference", TEXT),
            Field("reason", "reason", TEXT),
        ),
        links=(_ITEM,),
    ),
    Shape(
        kind="stock",
        collection="stock-levels",
        word="stock-level",
        number=("sku", "location"),
        fields=(
            Field("location", "location", NUMBER_TEXT, required=True),
            *(Field(name, name, DECIMAL) for name in ("on_hand", "reserved", "available")),
            Field("unit", "unit", TEXT),
        ),
        links=(_ITEM,),
    ),
)
