"""Fills a new Tryton database with a small distributor. Runs in Tryton's own environment, through its proteus client.

    python tryton_seed.py CONFIGURATION DATABASE

A company in US dollars with its accounts, one sales tax, 21 countries, one payment term, 20 products (SKU-0001 costs
6.00, each next one 1.00 more), 5 customers (C-01 to C-05), and an opening stock of 100 and the product's own number.
"""

from __future__ import annotations

import sys
from decimal import Decimal

from proteus import Model, Wizard, config

COUNTRIES = {
    "AR": "Argentina",
    "AT": "Austria",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IT": "Italy",
    "MX": "Mexico",
    "NO": "Norway",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
    "US": "United States",
    "VE": "Venezuela",
}


def one(name: str, *domain: tuple) -> object:
    """The one record a domain finds."""
    (record,) = Model.get(name).find(list(domain), limit=1)
    return record


def company(settings: object) -> object:
    """The company, for which everything after it is made."""
    dollar = Model.get("currency.currency")(name="US Dollar", symbol="$", code="USD", numeric_code="840")
    dollar.rounding, dollar.digits = Decimal("0.01"), 2
    dollar.save()
    countries = [Model.get("country.country")(code=code, name=name) for code, name in COUNTRIES.items()]
    Model.get("country.country").save(countries)
    party = Model.get("party.party")(name="Harbour Supply Co", code="OURSELVES")
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency = party, dollar
    wizard.execute("add")
    settings._context = Model.get("res.user").get_preferences(True, {})
    return one("company.company")


def accounts(ours: object) -> tuple[object, object, object]:
    """The chart of accounts; gives revenue, expense and a tax of 10 % on sales."""
    template = Model.get("account.account.template")
    root = Model.get("ir.model.data").get_id("account.account_template_root_en", config.get_config().context)
    wizard = Wizard("account.create_chart")
    wizard.execute("account")
    wizard.form.account_template, wizard.form.company = template(root), ours
    wizard.execute("create_account")

    def of_type(kind: str) -> object:
        return one("account.account", (f"type.{kind}", "=", True), ("company", "=", ours.id), ("closed", "!=", True))

    wizard.form.account_receivable, wizard.form.account_payable = of_type("receivable"), of_type("payable")
    wizard.execute("create_properties")
    revenue, expense = of_type("revenue"), of_type("expense")
    tax = Model.get("account.tax")(name="Sales tax", description="Sales tax", company=ours, type="percentage")
    owed = one("account.account", ("company", "=", ours.id), ("code", "=", "6.3.6"))
    tax.rate, tax.invoice_account, tax.credit_note_account = Decimal("0.10"), owed, owed
    tax.save()
    return revenue, expense, tax


def products(revenue: object, expense: object, tax: object) -> list[object]:
    """Twenty products, and their opening stock."""
    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_revenue, category.account_expense = revenue, expense
    category.customer_taxes.append(tax)
    category.save()
    unit = one("product.uom", ("name", "=", "Unit"))
    made = []
    for number in range(1, 21):
        template = Model.get("product.template")(
            name=f"Part {number:02d}", default_uom=unit, type="goods", salable=True
        )
        template.list_price, template.account_category = Decimal(5 + number).quantize(Decimal("0.01")), category
        template.products[0].suffix_code = f"SKU-{number:04d}"
        template.save()
        made.append(template.products[0])
    inventory = Model.get("stock.inventory")(location=one("stock.location", ("code", "=", "STO")))
    for number, product in enumerate(made, 1):
        line = inventory.lines.new(product=product)
        line.quantity, line.expected_quantity = 100.0 + number, 0.0
    inventory.click("confirm")
    return made


def customers() -> None:
    """Five customers with an address and a way to reach them, who pay within 30 days."""
    term = Model.get("account.invoice.payment_term")(name="30 days")
    term.lines.new(type="remainder").relativedeltas.new(days=30)
    term.save()
    states = one("country.country", ("code", "=", "US"))
    for number in range(1, 6):
        party = Model.get("party.party")(name=f"Customer {number}", code=f"C-{number:02d}", customer_payment_term=term)
        address = party.addresses[0] if party.addresses else party.addresses.new()
        address.street_unstructured, address.postal_code = f"{number} Quay Street", f"0210{number}"
        address.city, address.country = "Boston", states
        party.contact_mechanisms.new(type="email", value=f"buying@customer{number}.test")
        party.save()


def main() -> None:
    """All of it, in the order in which one needs the other."""
    file, database = sys.argv[1:]
    ours = company(config.set_trytond(database, user="admin", config_file=file))
    products(*accounts(ours))
    customers()


if __name__ == "__main__":
    main()
