"""How records of persons are compared, which of them, and when two are surely not one person's."""

from customerlake.silver.cleaning.reference import reference_values
from customerlake.silver.identity.blocking import Rule
from customerlake.silver.identity.comparison import Comparison, Level, both_known, by_edits


def _begins_with(column: str) -> str:
    shorter = f"least(length({column}_l), length({column}_r))"
    return f"{shorter} >= 3 AND substr({column}_l, 1, {shorter}) = substr({column}_r, 1, {shorter})"


_MAY_BE_ONE_SEX = "(sex_l IS NULL OR sex_r IS NULL OR sex_l = sex_r)"  # Daniel and Daniela, Mario and Maria
_SHORTER = "least(length(given_key_l), length(given_key_r))"
_EDITS = "levenshtein(given_key_l, given_key_r)"
_SAME_LETTERS = (
    "length(given_key_l) = length(given_key_r) "
    "AND translate(given_key_l, given_key_r, '') = '' AND translate(given_key_r, given_key_l, '') = ''"
)
GIVEN = Comparison(
    name="given_name",
    columns=("given_key", "said_key", "sex"),
    known=both_known("given_key"),
    levels=(
        Level("equal", "given_key_l = given_key_r", is_of_frequency=True),
        Level("initial", f"{_SHORTER} = 1 AND substr(given_key_l, 1, 1) = substr(given_key_r, 1, 1)"),
        Level(
            "one begins with the other",
            f"{_MAY_BE_ONE_SEX} AND (({_begins_with('given_key')}) OR ({_begins_with('said_key')}))",
        ),
        Level(
            "letters swapped, missing or too many",
            f"{_MAY_BE_ONE_SEX} AND {_SHORTER} >= 3 "
            f"AND ((length(given_key_l) <> length(given_key_r) AND {_EDITS} <= 1) "
            f"OR ({_SAME_LETTERS} AND {_EDITS} <= 2))",
        ),
        Level("1 letter other", f"{_MAY_BE_ONE_SEX} AND {_SHORTER} >= 5 AND {_EDITS} <= 1"),  # John and Joan are two
        Level("2 edits", f"{_MAY_BE_ONE_SEX} AND {_SHORTER} >= 6 AND {_EDITS} <= 2"),
    ),
    of_frequency="given_key",
)
FAMILY = by_edits("family_name", "family_key", 1, 2, least_letters=4, of_frequency=True)
NATIVE = by_edits("native_name", "native_name", of_frequency=True)
BIRTH = Comparison(
    name="birth",
    columns=("birth_text",),
    known=both_known("birth_text"),
    levels=(
        Level("equal", "birth_text_l = birth_text_r"),
        Level(
            "day and month swapped",
            "substr(birth_text_l, 1, 4) = substr(birth_text_r, 1, 4) "
            "AND substr(birth_text_l, 5, 2) = substr(birth_text_r, 7, 2) "
            "AND substr(birth_text_l, 7, 2) = substr(birth_text_r, 5, 2)",
        ),
        Level("1 digit", "levenshtein(birth_text_l, birth_text_r) <= 1"),
    ),
)
_ROLES = ", ".join(f"'{role}'" for role in reference_values("mail_domains")["role_mailboxes"])  # office@, sales@
EMAIL = Comparison(
    name="email",
    columns=("email_key",),
    known=both_known("email_key"),
    levels=(
        Level("equal", "email_key_l = email_key_r", is_of_frequency=True),
        Level(
            "same before the @",
            "split_part(email_key_l, '@', 1) = split_part(email_key_r, '@', 1) "
            f"AND length(split_part(email_key_l, '@', 1)) >= 5 AND split_part(email_key_l, '@', 1) NOT IN ({_ROLES})",
        ),
    ),
    of_frequency="email_key",
)
PHONE = by_edits("phone", "phone", of_frequency=True)
_MAY_BE_ONE_STREET = (
    "(street_key_l IS NULL OR street_key_r IS NULL OR (least(length(street_key_l), length(street_key_r)) >= 6 "
    "AND levenshtein(street_key_l, street_key_r) <= 2))"
)
ADDRESS = Comparison(
    name="address",
    columns=("postcode", "street_key", "city"),
    known="(postcode_l IS NOT NULL AND postcode_r IS NOT NULL) OR (city_l IS NOT NULL AND city_r IS NOT NULL)",
    levels=(
        Level("same street and postcode", "postcode_l = postcode_r AND street_key_l = street_key_r"),
        Level("same postcode, and perhaps street", f"postcode_l = postcode_r AND {_MAY_BE_ONE_STREET}"),
        Level("same postcode, another street", "postcode_l = postcode_r"),
        Level("same city", "city_l = city_r"),
    ),
)
COMPARISONS = (GIVEN, FAMILY, NATIVE, BIRTH, EMAIL, PHONE, ADDRESS)

SHARES_CONTACT = "level_email IN (0, 1) OR level_phone = 0 OR level_address IN (0, 1)"
SHARES_BIRTH = f"level_birth BETWEEN 0 AND {len(BIRTH.levels) - 1}"
OF_ANOTHER_NAME_AND_HOME = (
    f"level_family_name > 0 AND level_address >= 2 AND NOT ({SHARES_CONTACT}) AND NOT ({SHARES_BIRTH})"
)
"""Hall in one street and Hill in another, and nothing that they share: a third record that is like both joins one."""

IS_SOMEONE_ELSE = (
    f"level_given_name = {len(GIVEN.levels)} OR level_birth = {len(BIRTH.levels)} OR ({OF_ANOTHER_NAME_AND_HOME})"
)
"""Two people, however much else agrees: a household shares its name, home, telephone and at times its mailbox, twins
their birthday, and a son his father's name."""
TELLING_APART = (GIVEN, FAMILY, BIRTH, EMAIL, PHONE, ADDRESS)

WITHOUT_CONTACT = 5.0  # bits that a pair must have beyond the others when it shares birth and names alone
"""Given and family name go together more often than the weights have it (Misaki and Kato), and in a large lake there
are people of one name and birthday: names alone never link, and with a birthday more must speak for it."""

RULES = (
    Rule("e-mail", ("email_key",)),
    Rule("phone", ("phone",)),
    Rule("family name and birth", ("family_key", "birth_text")),
    Rule("given name and birth", ("given_key", "birth_text")),
    Rule("given name, family name and postcode", ("given_key", "family_key", "postcode")),
    Rule("given name, family name and city", ("given_key", "family_key", "city")),
    Rule("street, postcode and initial", ("street_key", "postcode", "substr(given_key, 1, 1)")),
    Rule("sound of both names and postcode", ("soundex(given_key)", "soundex(family_key)", "postcode")),
    Rule(
        "sound of both names and year of birth",
        ("soundex(given_key)", "soundex(family_key)", "substr(birth_text, 1, 4)"),
    ),
    Rule("name in its own script and birth", ("native_name", "birth_text")),
    Rule("name in its own script and postcode", ("native_name", "postcode")),
    Rule("birth and postcode", ("birth_text", "postcode")),
)

CERTAIN = (
    "l.email_key = r.email_key AND l.given_key = r.given_key AND l.family_key = r.family_key",
    "l.phone = r.phone AND l.given_key = r.given_key AND l.family_key = r.family_key",
    "l.birth_text = r.birth_text AND l.given_key = r.given_key AND l.family_key = r.family_key",
)
RECALL_OF_CERTAIN = 0.7
TRAINED_WITHIN = (("email_key",), ("given_key", "family_key"), ("birth_text",))
