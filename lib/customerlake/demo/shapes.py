"""How the files of each feed look, and what is broken in them. conf/lakes/demo.yaml says the same to the reader."""

from dataclasses import dataclass

from customerlake.demo.landing import Shape

SALES_AT_THE_TILL = {
    "InvoiceNo": "receipt",
    "StockCode": "item",
    "Description": "item_text",
    "Quantity": "units",
    "InvoiceDate": "sold_at",
    "UnitPrice": "price",
    "CustomerID": "customer",
    "Country": "country",
    "store_id": "store",
    "payment_method": "paid_by",
}
CRM_IN_GERMAN = {
    "profile_id": "Kontakt_Nr",
    "customer_id": "Shop_Nr",
    "title": "Anrede",
    "first_name": "Vorname",
    "last_name": "Nachname",
    "full_name": "Name",
    "sex": "Geschlecht",
    "birth_on": "Geburtsdatum",
    "email": "E-Mail",
    "phone": "Telefon",
    "street": "Strasse",
    "postcode": "PLZ",
    "city": "Ort",
    "region": "Region",
    "country": "Land",
    "income": "Jahreseinkommen",
    "occupation": "Beruf",
    "created_at": "angelegt",
    "updated_at": "geaendert",
}
ISO = "yyyy-MM-dd'T'HH:mm:ss"


@dataclass(frozen=True)
class Sent:
    """How a feed's files look; by which columns its records are told apart, when each is sent, and what goes wrong."""

    shape: Shape
    key: tuple[str, ...]
    at: str | None
    repeated: float = 0.0  # share of the records that come twice
    late: float = 0.0  # share of the records that land up to three days late
    broken_share: float = 0.0
    broken: tuple[tuple[str, str | None], ...] = ()


SENT = {
    "web_orders": Sent(Shape("csv", "day"), (), "ordered_at"),
    "pos_sales": Sent(Shape("csv", "day", delimiter=";", names=SALES_AT_THE_TILL), (), "ordered_at"),
    "crm_profiles": Sent(
        Shape("csv", "month", ";", "dd/MM/yyyy HH:mm:ss", "dd/MM/yyyy", is_compressed=False, names=CRM_IN_GERMAN),
        ("profile_id", "updated_at"),
        "updated_at",
        broken_share=0.004,
        broken=(("birth_on", "31/02/1975"), ("income", "not stated"), ("updated_at", "yesterday")),
    ),
    "loyalty_events": Sent(
        Shape("json", "month", is_compressed=False),
        ("event_id",),
        "happened_at",
        repeated=0.005,
        broken_share=0.003,
        broken=(("card_id", None), ("points", "many"), ("event_type", "migrated")),
    ),
    "web_events": Sent(
        Shape("json", "day", timestamps=ISO),
        ("event_id",),
        "happened_at",
        repeated=0.005,
        late=0.005,
        broken_share=0.001,
        broken=(("visitor_id", None), ("happened_at", "2011-13-45T00:00:00"), ("event_type", "hover")),
    ),
    "email_events": Sent(
        Shape("parquet", "month"),
        ("event_id",),
        "happened_at",
        repeated=0.005,
        broken_share=0.001,
        broken=(("email", None), ("event_type", "deferred")),
    ),
    "campaigns": Sent(Shape("csv", is_compressed=False), ("campaign_id", "updated_at"), "updated_at"),
    "campaign_members": Sent(
        Shape("csv", "month"),
        ("campaign_id", "customer_id"),
        "assigned_at",
        broken_share=0.0005,
        broken=(("test_group", "pilot"), ("customer_id", None)),
    ),
    "social_posts": Sent(
        Shape("json", "month", timestamps=ISO, is_compressed=False),
        ("post_id", "updated_at"),
        "updated_at",
        broken_share=0.003,
        broken=(("text", None), ("rating", "five")),
    ),
    "tickets": Sent(
        Shape("json", "month", is_compressed=False),
        ("ticket_id", "updated_at"),
        "updated_at",
        repeated=0.003,
        broken_share=0.003,
        broken=(("status", "escalated"), ("opened_at", "31.12.2010 25:00")),
    ),
    "survey_answers": Sent(
        Shape("csv", "month", delimiter="\t"),
        ("invitation_id", "updated_at"),
        "updated_at",
        broken_share=0.003,
        broken=(("score", "ten"), ("survey", "smiley")),
    ),
    "consents": Sent(
        Shape("csv", "month"),
        ("customer_id", "purpose", "channel", "changed_at"),
        "changed_at",
        repeated=0.003,
        broken_share=0.002,
        broken=(("is_granted", "maybe"), ("purpose", "everything")),
    ),
    "products": Sent(
        Shape("parquet"),
        ("product_id", "updated_at"),
        "updated_at",
        broken_share=0.002,
        broken=(("name", None), ("weight_unit", "stone")),
    ),
    "exchange_rates": Sent(
        Shape("csv", is_compressed=False), ("currency", "rated_on"), None, broken_share=0.002, broken=(("rate", "-"),)
    ),
}
