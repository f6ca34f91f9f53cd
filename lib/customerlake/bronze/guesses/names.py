"""Which column of a contract a name in a file may mean."""

import difflib
import re
from functools import cache

from customerlake.bronze.guesses.values import CURRENCIES
from customerlake.bronze.sources import SOURCES

SYNONYMS = {
    "order_id": "invoice no|invoice|invoice number|invoice id|receipt|receipt no|receipt id|order|order no|"
    "order number|"
    "transaction id|transaction no|transaction|trans id|ticket no|bill no|basket id|basket|bon|bonnummer|"
    "bestellnummer|auftragsnummer|rechnungsnummer|belegnummer|订单号|订单编号|订单id|小票号|交易号",
    "product_id": "stock code|sku|item|item id|item no|item code|article|article no|article id|product|product code|"
    "product no|prod id|upc|ean|gtin|artikelnummer|artikel|artikelnr|商品编号|商品id|产品编号|商品编码|货号",
    "description": "product name|item name|item description|product description|product title|title|bezeichnung|"
    "artikelbezeichnung|produktname|item text|product text|artikeltext|商品名称|产品名称|品名",
    "quantity": "qty|pieces|units|count|number of items|num items|items count|pcs|menge|anzahl|stück|数量|件数",
    "ordered_at": "invoice date|order date|order time|order datetime|purchase date|purchased at|transaction date|"
    "transaction time|trans date|sale date|sold at|sold on|bought at|datetime|bestelldatum|kaufdatum|rechnungsdatum|"
    "belegdatum|下单时间|订单日期|订单时间|交易时间|购买时间|消费时间|下单日期",
    "unit_price": "price|item price|product price|price each|selling price|unit cost|preis|einzelpreis|stückpreis|"
    "单价|价格|售价",
    "amount": "total|amt|line total|total price|total amount|sales|sales amount|revenue|net sales|value|spend|turnover|"
    "extended price|betrag|summe|umsatz|gesamtpreis|金额|总金额|总价|消费金额",
    "customer_id": "customer|customer no|customer number|customer code|client|client id|client no|cust no|cust id|cust|"
    "user id|user|uid|member id|member no|account id|account no|buyer id|shopper id|person id|kundennummer|kundennr|"
    "kunden id|kunde|客户编号|客户id|会员号|会员编号|会员id|用户id|顾客编号|客户号",
    "country": "country code|country name|land|nation|国家",
    "currency": "currency code|iso currency|ccy|währung|币种|货币",
    "store_id": "store|shop|shop id|store no|branch|branch id|outlet|outlet id|filiale|门店|门店编号",
    "payment_method": "payment|payment type|paid by|tender|zahlungsart|支付方式",
    "session_id": "session|visit id|sid",
    "coupon": "coupon code|voucher|voucher code|promo code|gutschein",
    "profile_id": "contact id|contact no|kontakt nr|kontaktnummer|lead id|crm id|record id|rec id|person id",
    "title": "salutation|honorific|anrede|称谓",
    "first_name": "given name|forename|firstname|fname|vorname|名",
    "last_name": "surname|family name|lastname|lname|nachname|姓",
    "full_name": "name|customer name|client name|contact name|person name|姓名|客户姓名|客户名称",
    "sex": "gender|geschlecht|性别",
    "birth_on": "birth date|date of birth|dob|birthday|birthdate|geburtsdatum|出生日期|生日",
    "email": "e mail|email address|mail|e mail address|recipient|邮箱|电子邮箱|电子邮件",
    "phone": "phone number|telephone|mobile|mobile phone|tel|cell|telefon|手机|手机号|电话|联系电话",
    "street": "address|street address|address 1|address line 1|straße|anschrift|地址",
    "postcode": "zip|zip code|postal code|post code|plz|postleitzahl|邮编|邮政编码",
    "city": "town|suburb|locality|ort|stadt|城市",
    "region": "state|province|county|bundesland|省份|省",
    "income": "annual income|household income|yearly income|salary|einkommen|年收入|收入",
    "occupation": "job|profession|job title|beruf|职业",
    "created_at": "created|create date|created on|creation date|signup date|registered at|registration date|join date|"
    "erstellt am|erstellt|angelegt|注册时间|创建时间|注册日期",
    "updated_at": "updated|last updated|last modified|modified at|modified|last change|changed on|last update|"
    "geändert am|geändert|更新时间|修改时间",
    "event_id": "event no|hit id|uuid|guid|message uuid",
    "event_type": "event|event name|action|activity|behavior|behavior type|type|行为类型|事件类型",
    "happened_at": "event time|event date|occurred at|occurred on|ts|event timestamp|event ts|logged at|"
    "时间戳|发生时间",
    "visitor_id": "visitor|cookie|cookie id|device id|anonymous id|client id|user pseudo id|fullvisitorid",
    "search_text": "search|query|search term|search query|keyword|q",
    "url": "page|page url|uri|link|page location|path",
    "referrer": "referer|ref|referring url|page referrer",
    "channel": "medium|source medium|traffic source|kanal|渠道",
    "device": "device type|device category|platform|设备",
    "campaign_id": "campaign|campaign no|utm campaign|kampagne|活动编号",
    "message_id": "mail id|email id|delivery id|send id",
    "card_id": "card|card no|card number|loyalty id|loyalty card|loyalty number|kartennummer|卡号|会员卡号",
    "points": "points earned|point|bonus points|punkte|积分",
    "tier": "level|status level|member tier|loyalty tier|等级|会员等级",
    "name": "product name|item name|campaign name|title|bezeichnung|商品名称|产品名称|活动名称",
    "offer": "offer name|promotion|incentive",
    "discount_share": "discount|discount rate|rabatt|折扣",
    "started_on": "start date|start|started|begin date|valid from|startdatum|开始日期",
    "ended_on": "end date|end|ended|valid to|valid until|enddatum|结束日期",
    "fixed_cost": "cost|campaign cost|budget|total cost",
    "contact_cost": "cost per contact|unit contact cost",
    "test_group": "group|variant|arm|treatment|treatment group|segment|control group",
    "assigned_at": "assigned|assigned on|assignment date|contacted at|contact date|sent at",
    "post_id": "tweet id|status id|comment id|review id",
    "network": "platform|social network|site|source",
    "author": "user name|username|screen name|handle|posted by",
    "language": "lang|locale|sprache",
    "text": "message|body|content|post|tweet|review|review text|comment|description|subject|内容|评论",
    "rating": "stars|score|overall|评分",
    "posted_at": "post date|published at|posted on|created at|review date|发布时间",
    "ticket_id": "ticket|ticket no|ticket number|case id|case number|case no|issue id|request id|工单号",
    "requester_name": "requester|customer name|contact name|reporter",
    "category": "ticket type|issue type|department|product category|topic|kategorie|warengruppe|类别|分类|品类",
    "priority": "ticket priority|severity|urgency|priorität|优先级",
    "status": "ticket status|state|case status|状态",
    "opened_at": "created at|opened|open date|created|date opened|submitted at|创建时间",
    "first_response_at": "first response|first response time|first reply at|responded at",
    "solved_at": "resolved at|closed at|closed|resolved|resolution date|date closed",
    "count_reopened": "reopened|reopens|reopen count",
    "invitation_id": "response id|survey id|answer id|respondent id",
    "survey": "survey type|survey name|metric",
    "touchpoint": "touch point|trigger|journey step",
    "score": "answer|rating|nps|nps score|csat|ces|评分",
    "comment": "feedback|verbatim|remarks|open answer|意见",
    "invited_at": "sent at|invitation date|invite date",
    "answered_at": "response date|responded at|completed at|submitted at|answer date",
    "purpose": "consent purpose|consent type|zweck|用途",
    "is_granted": "granted|consent|opt in|optin|allowed|consent given|accepted|einwilligung|是否同意",
    "changed_at": "consent date|consented at|changed|change date|granted at",
    "source": "origin|captured by|collected via",
    "brand": "make|manufacturer|marke|品牌",
    "list_price": "price|retail price|msrp|rrp|listenpreis|单价|价格",
    "unit_cost": "cost|cost price|purchase price|einkaufspreis|成本",
    "weight": "net weight|gross weight|gewicht|重量",
    "weight_unit": "unit of weight|uom",
    "base_currency": "base|to currency|target currency|quote currency",
    "rated_on": "rate date|valid on|quote date",
    "rate": "exchange rate|fx rate|kurs|wechselkurs|汇率",
    "outcome": "churn|churned|exited|attrition|attrition flag|left|outcome|target|label|response|responded|"
    "default payment next month|conversion|"
    "converted|revenue|purchased|bought|default|classification|class|y|result|subscribed|是否流失|流失",
}
TIMES = ("date", "time", "timestamp", "datetime", "day", "ts", "when", "datum", "zeit", "日期", "时间")
"""Names of any instant or day; and the parts of names by which a number such as 20240131 is one."""
PARTS_OF_TIMES = {*TIMES, "at", "on", "dt", "birth", "dob", "since", "created", "updated", "modified", "until", "tag"}
LEAST_LETTERS = 5  # of a name that is found in another, or is only like it
LEAST_ALIKE = 0.86  # of a name and one that is known, as difflib measures it


def meaning(column: str, name: str, *, is_at: bool = False, is_key: bool = False) -> float:
    """How likely a file's name means a column of a contract, 0 to 1."""
    said = plain(name)
    if not said:
        return 0.0
    own, known = plain(column), _known(column)
    candidates = {said: 1.0, plain(name.rpartition(".")[2]): 0.95, plain(_without_currency(name)): 0.95}
    best = 0.0
    for text, share in candidates.items():
        if text == own:
            best = max(best, share)
        elif text in known:
            best = max(best, share * (0.95 - 0.1 * known.index(text) / len(known)))
    if best:
        return best
    if is_at and said in TIMES:
        return 0.8
    if is_key and said in ("id", "no", "number", "nr", "key", "编号"):
        return 0.75
    if any(said.endswith(text) for text in (own, *known) if len(text) >= LEAST_LETTERS):
        return 0.65  # delivery_postcode, Jahreseinkommen
    if is_key and words(name)[-1:] in (["id"], ["no"], ["nr"], ["number"]):
        return 0.55
    if len(said) < LEAST_LETTERS:
        return 0.0
    alike = max(difflib.SequenceMatcher(None, said, text).ratio() for text in (own, *known) if text)
    return 0.75 * alike if alike >= LEAST_ALIKE else 0.0


def is_known(name: str) -> bool:
    """The name is one of a contract's, or a common one for it."""
    return plain(name) in _every_name() or plain(name) in TIMES


def plain(name: str) -> str:
    """Letters and digits alone, small: InvoiceNo, invoice_no and Invoice No. are one."""
    small = re.sub(r"[\W_]", "", name).lower()
    return small.translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"})


def words(name: str) -> list[str]:
    """The parts of a name, small: InvoiceDate -> invoice, date."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[\W_]+", parted) if word]


def says_a_time(name: str) -> bool:
    said = words(name)
    return any(word in PARTS_OF_TIMES or word.endswith(("date", "time", "datum")) for word in said) or any(
        mark in name for mark in ("日期", "时间")
    )


def _without_currency(name: str) -> str:
    return "".join(word for word in words(name) if word.upper() not in CURRENCIES)


@cache
def _known(column: str) -> tuple[str, ...]:
    return tuple(plain(text) for text in SYNONYMS.get(column, "").split("|") if text)


@cache
def _every_name() -> frozenset[str]:
    own = {plain(column) for source in SOURCES.values() for column in source.column_names}
    return frozenset(own.union(*(_known(column) for column in SYNONYMS)))
