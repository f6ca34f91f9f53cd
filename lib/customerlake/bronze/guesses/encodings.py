"""In which encoding a text is, and what is no text at all."""

import codecs
import re

from customerlake.errors import LandingError

PLAUSIBLE = ("gb18030", "big5", "cp932", "cp949", "cp1251", "cp1253")  # of scripts other than Latin
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
SIGN_IN_WORD = re.compile(r"[^\W\d_][£¥§¨ª¯¹³¾¼½¿]|[£¥§¨ª¯¹³¾¼½][^\W\d_]")  # letters of eastern Europe, read as cp1252
GUESSED = "it is not UTF-8, and this is a guess: see whether names and places read right"
LOOKED_AT_BYTES = 256 * 1024
NO_TEXT = {
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"RIFF": "a picture, a sound or a film (RIFF)",
    b"%PDF": "a document (PDF)",
    b"SQLite format 3": "a database (SQLite); read it with database, by JDBC",
    b"\x7fELF": "a program",
    b"PK\x03\x04": "an archive (zip); unpack it, each of its files is inspected alone",
    b"7z\xbc\xaf": "an archive (7z); unpack it",
    b"Rar!": "an archive (rar); unpack it",
    b"ORC": "an ORC file; export it as Parquet",
}


def refuse_what_is_no_text(content: bytes) -> None:
    """Raises: LandingError for pictures, documents, archives and other bytes that are no text."""
    kind = next((kind for beginning, kind in NO_TEXT.items() if content.startswith(beginning)), None)
    if kind is None and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        start = content[:LOOKED_AT_BYTES]
        control = sum(start.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1a\x1b")
        if control > len(start) // 100 and _utf_16_without_mark(content) is None:
            kind = f"no text: it begins with the bytes {content[:4].hex(' ')}"
    if kind:
        raise LandingError(
            f"it is {kind}; text (CSV, JSON, lines), Parquet, Avro and Excel are read. "
            "Export its records as one of these"
        )


def encoding_of(content: bytes) -> tuple[str, str | None]:
    """The encoding of a text, and what is to be said of it: that it was guessed, or begins with a byte order mark."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8", "it begins with a byte order mark, which is left out"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", None
    if found := _utf_16_without_mark(content):
        return found, "guessed from the zero bytes between its characters"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _of_bytes(content)
    return "utf-8", None


def _utf_16_without_mark(content: bytes) -> str | None:
    start = content[: LOOKED_AT_BYTES // 2 * 2]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) < 4 or max(even, odd) < len(start) // 4:
        return None
    return "utf-16-le" if odd > 10 * even else "utf-16-be" if even > 10 * odd else None


def _of_bytes(content: bytes) -> tuple[str, str]:
    """An encoding of one or two bytes per character, by what the text would then be."""
    import charset_normalizer

    lines = [line for line in content.splitlines() if not line.isascii()]  # the others say nothing of it
    start = b"\n".join(lines)[:LOOKED_AT_BYTES]
    start = start[: start.rfind(b"\n") + 1] or start  # no character cut in two
    if _is_latin(start):
        return _latin(start), f"{GUESSED} (cp1252, cp1250 and latin-1 look much alike)"
    found = list(charset_normalizer.from_bytes(start, cp_isolation=list(PLAUSIBLE)))
    return (min(found, key=lambda match: (match.chaos, -match.coherence)).encoding if found else "latin-1"), GUESSED


def _is_latin(content: bytes) -> bool:
    """Most bytes beyond ASCII stand alone between ASCII, as the letters with accents of a Latin script do."""
    return 2 * len(ALONE.findall(content)) > len(BEYOND_ASCII.findall(content))


def _latin(content: bytes) -> str:
    try:
        western = content.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    beyond = sum(not mark.isascii() for mark in western)
    return "cp1250" if len(SIGN_IN_WORD.findall(western)) > beyond // 10 else "cp1252"
