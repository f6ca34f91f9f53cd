"""Text without what surrounds it, and without what only a screen needs: tags, entities, unseen characters."""

import html
import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.cleaning.letters import half_width
from customerlake.silver.cleaning.reference import once_per_value

UNSHOWN = (  # with what is in it
    r"(?is)<!--.*?-->|<!doctype[^<>]*>|<script\b[^<>]*>.*?</script[ \t\r\n]*>|"
    r"<style\b[^<>]*>.*?</style[ \t\r\n]*>"
)
BLOCK_TAG = (
    r"(?i)</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|"
    r"hr|li|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul)(?:[ \t\r\n][^<>]*)?/?>"
)
TAG = r"</?[A-Za-z][A-Za-z0-9:-]*(?:[ \t\r\n][^<>=]*=[^<>]*|[ \t\r\n]*)/?>"  # a < b, <3 and <ann@example.com> are none
ENTITY = re.compile("&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")

UNSEEN = (
    r"[\x{00}-\x{08}\x{0E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}"  # control characters that are no white space
    r"\x{AD}\x{180E}\x{200B}\x{200C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}"  # of no width
    r"\x{FFF9}-\x{FFFF}]"  # U+FFFD among them, which stands for bytes that were no UTF-8
)
WHITE_SPACE = r"[\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+"

PICTURES = (
    r"\x{1F000}-\x{1FAFF}\x{2600}-\x{27BF}\x{231A}\x{231B}\x{23E9}-\x{23F3}\x{23F8}-\x{23FA}\x{25FD}\x{25FE}"
    r"\x{2B1B}\x{2B1C}\x{2B50}\x{2B55}"
)
AS_PICTURE = r"\x{FE0F}"  # put after a sign that is text by itself
SIGN_AS_PICTURE = rf"[\x{{A9}}\x{{AE}}\x{{203C}}-\x{{3299}}]{AS_PICTURE}"
EMOJI = rf"[{PICTURES}\x{{FE0E}}{AS_PICTURE}\x{{20E3}}\x{{200D}}\x{{E0020}}-\x{{E007F}}]+"
STRAY_JOINER = rf"(^|[^{PICTURES}{AS_PICTURE}\x{{200D}}])\x{{200D}}+"  # between pictures it makes one of two


def trimmed(name: str) -> Column:
    """Without surrounding white space; null when nothing remains."""
    return F.nullif(F.btrim(name, F.lit(" \t\r\n\u00a0")), F.lit(""))


def plain_text(text: Column, *, keep_emoji: bool = True) -> Column:
    """What a reader sees of a text, in one line; null when that is nothing.

    Tags go, those of blocks leaving a space, and comments, scripts and styles with what is in them. Entities that end
    in a semicolon are read once (&amp;lt; is &lt;). Full-width forms of ASCII become half-width, as in NFKC; other
    characters stay as they are. Control characters, those of no width and U+FFFD go; white space becomes one space.
    """
    read = half_width(_entities_read(_without_tags(text), has_any=text.contains("&")))
    seen = F.regexp_replace(F.regexp_replace(read, UNSEEN, ""), STRAY_JOINER, "$1")
    return one_line(seen if keep_emoji else without_emoji(seen))


def without_emoji(text: Column) -> Column:
    """Emoji become a space: pictures, and signs that are marked to be shown as one (❤️, ©️; a plain © stays).

    Of a digit in a key cap the digit stays.
    """
    pictures = F.regexp_replace(text, SIGN_AS_PICTURE, "\ufe0f")  # by itself: Java recurses into a repeated choice
    return F.regexp_replace(pictures, EMOJI, " ")


def one_line(text: Column) -> Column:
    """White space of any kind and length becomes one space; none around; null when nothing remains."""
    return F.nullif(F.btrim(F.regexp_replace(text, WHITE_SPACE, " ")), F.lit(""))


def _without_tags(text: Column) -> Column:
    shown = F.regexp_replace(text, UNSHOWN, " ")
    return F.regexp_replace(F.regexp_replace(shown, BLOCK_TAG, " "), TAG, "")


def _entities_read(text: Column, *, has_any: Column) -> Column:
    """By Python's reading of the HTML standard, which knows 2231 names; only the texts that may need it go there."""
    return F.when(has_any, once_per_value(_entities_of, F.when(has_any, text))).otherwise(text)


def _entities_of(text: str) -> str:
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
