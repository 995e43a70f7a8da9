"""What the shop calls its fields: objects within objects, camel case, money as integers of the minor unit."""

from __future__ import annotations

from erpsync.simulator.fields import DAY, FLAG, JSON_NUMBER, MINOR, NUMBER_TEXT, PERCENT, TEXT, Field, Link, Shape

_ADDRESS = {"line1": "street", "city": "city", "province": "region", "zip": "postal_code", "country": "country"}
_ITEM = Link("sku", "item", "sku")

SHOP = (
    Shape(
        kind="item",
        collection="products",
        word="product",
        number=("sku",),
        fields=(
            Field("sku", "sku", NUMBER_TEXT, required=True),
            Field("title", "name", TEXT),
            Field("description", "description", TEXT),
            Field("unitLabel", "unit", TEXT),
            Field("price.amount", "price", MINOR),
            Field("price.currency", "currency", TEXT),
            Field("gtin", "barcode", TEXT),
            Field("productType", "category", TEXT),
            Field("weight", "weight", JSON_NUMBER),
            Field("seo.description", "web_description", TEXT),
            Field("published", "active", FLAG),
        ),
    ),
    Shape(
        kind="customer",
        collection="customers",
        word="customer",
        number=("externalNumber",),
        fields=(
            Field("externalNumber", "number", NUMBER_TEXT, required=True),
            Field("displayName", "name", TEXT),
            Field("contactName", "contact", TEXT),
            Field("email", "email", TEXT),
            Field("phone", "phone", TEXT),
            *(Field(f"defaultAddress.{far}", name, TEXT) for far, name in _ADDRESS.items()),
            Field("taxNumber", "tax_number", TEXT),
            Field("currency", "currency", TEXT),
            Field("enabled", "active", FLAG),
        ),
    ),
    Shape(
        kind="order",
        collection="orders",
        word="order",
        number=("reference",),
        theirs="orderNumber",
        net=Field("netAmount", "", MINOR),
        fields=(
            Field("reference", "number", NUMBER_TEXT, required=True),
            Field("currency", "currency", TEXT, required=True),
            Field("orderedOn", "ordered_on", DAY),
            Field("requestedOn", "requested_on", DAY),
            Field("purchaseOrder", "purchase_order", TEXT),
            Field("shippingAddress.name", "ship_name", TEXT),
            *(Field(f"shippingAddress.{far}", f"ship_{name}", TEXT) for far, name in _ADDRESS.items()),
            Field("freightAmount", "freight", MINOR),
            Field("totalAmount", "total", MINOR),
            Field("note", "note", TEXT),
            Field("canceled", "cancelled", FLAG),
        ),
        links=(Link("customer", "customer", "customer.externalNumber", "customer.id"),),
        lines="lineItems",
        line_fields=(
            Field("lineId", "line", NUMBER_TEXT, required=True),
            Field("quantity", "quantity", JSON_NUMBER, required=True),
            Field("unitAmount", "unit_price", MINOR),
            Field("discountPercent", "discount", PERCENT),
        ),
        line_links=(_ITEM,),
    ),
    Shape(
        kind="stock",
        collection="inventory",
        word="inventory",
        number=("sku", "location"),
        fields=(
            Field("location", "location", NUMBER_TEXT, required=True),
            Field("onHand", "on_hand", JSON_NUMBER),
            Field("reserved", "reserved", JSON_NUMBER),
            Field("available", "available", JSON_NUMBER),
            Field("unitLabel", "unit", TEXT),
        ),
        links=(_ITEM,),
    ),
)
