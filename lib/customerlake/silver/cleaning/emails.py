"""Addresses of e-mail: read, made comparable, and what is odd about them."""

from functools import cache

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.cleaning.letters import half_width
from customerlake.silver.cleaning.reference import once_per_value, reference_values

LONGEST_ADDRESS = 254  # signs, RFC 5321 with erratum 1690
SIGNS = r"[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?"
ADDRESS = rf"^{SIGNS}(\.{SIGNS})*@({LABEL}\.)+(\p{{L}}{{2,}}|xn--[a-z0-9-]+)$"
NEVER_READ = r"^(no|do[-_.]?not|nicht|ne[-_.]?pas)[-_.]?(reply|respond|antworten|repondre)"


def email_address(text: Column) -> Column:
    """The address that a text says, in small letters; null when it says none, or more than one.

    Read are mailto:, <> with a name in front or not, full-width letters, quotes around, and a comma or point behind.
    The mailbox is what RFC 5322 calls an atom (no quotes), letters of all scripts allowed (RFC 6531); the domain has a
    point and no number at its end.
    """
    spaced = F.regexp_replace(half_width(F.substring(text, 1, 500)), r"[\s\p{Z}\p{Cc}\p{Cf}]+", " ")
    inside = F.regexp_replace(spaced, "^[^<>]*<([^<>]*)>[^<>]*$", "$1")
    without_subject = F.regexp_replace(F.lower(inside), "^ *(mailto:[^?]*)[?].*$", "$1")
    bare = F.regexp_replace(without_subject, "^[ \"'“‘]*(mailto: *)?|[ .,;\"'”’]+$", "")
    is_address = (F.length(bare) <= LONGEST_ADDRESS) & F.substring(bare, 1, LONGEST_ADDRESS).rlike(ADDRESS)
    return F.when(is_address & (F.length(_mailbox(bare)) <= 64), bare)


def email_key(address: Column) -> Column:
    """An address as it is compared: without a tag (+shop), and with the domain that was probably meant.

    Of Gmail also without points in the mailbox, and under one domain, as it delivers them alike. Two keys that are
    equal are one mailbox, as long as the domain was guessed right.
    """
    domain = F.coalesce(misspelt_domain(address), _domain(address))
    untagged = F.regexp_replace(_mailbox(address), r"^(.+?)\+.*$", "$1")
    is_gmail = domain.isin("gmail.com", "googlemail.com")
    return F.concat(
        F.when(is_gmail, F.replace(untagged, F.lit("."), F.lit(""))).otherwise(untagged),
        F.lit("@"),
        F.when(is_gmail, "gmail.com").otherwise(domain),
    )


def misspelt_domain(address: Column) -> Column:
    """The domain that was probably meant: of a provider in conf/reference/mail_domains.yaml whose name or ending is
    misspelt, or with an ending that no registry has (.con, .ku); null where the domain looks right. A guess, for a
    person to look at.
    """
    return once_per_value(_meant, _domain(address))


def is_role_address(address: Column) -> Column:
    """Whether an address is that of a job or a machine (info@, sales@, noreply@) and no person's own."""
    roles = reference_values("mail_domains")["role_mailboxes"]
    plain = F.regexp_replace(_mailbox(address), r"\+.*$|[-_.]?[0-9]+$", "")
    return plain.isin(roles) | plain.rlike(NEVER_READ)


def _mailbox(address: Column) -> Column:
    return F.substring_index(address, "@", 1)


def _domain(address: Column) -> Column:
    return F.substring_index(address, "@", -1)


def _meant(domain: str) -> str | None:
    values = reference_values("mail_domains")
    front, _, last = domain.rpartition(".")
    label, _, ending = f"{front}.{values['endings'].get(last, last)}".partition(".")
    provider = _providers().get(label)
    if provider is not None:
        endings = values["providers"][provider]["endings"]
        if endings == ["com"] and ending in values["endings_of_com"]:
            ending = "com"
        label = provider if ending in endings else label
    meant = f"{label}.{ending}"
    return meant if meant != domain else None


@cache
def _providers() -> dict[str, str]:
    """Names of providers, right and misspelt, and the right ones."""
    providers = reference_values("mail_domains")["providers"]
    misspelt = {name: provider for provider, said in providers.items() for name in said["misspelt"]}
    return misspelt | {provider: provider for provider in providers}
