"""What text a store can hold. It is kept as typed: whoever shows it must treat it as text from anyone."""

from medclassify.errors import ReviewError

MAX_COMMENT = 10_000
"""Characters a comment may hold."""
MAX_READER = 200
"""Characters a reader's name may hold."""


def check_text(name: str, value: str) -> None:
    """Refuses text that a database cannot hold.

    Raises:
        ReviewError: It is not Unicode, or holds the character U+0000.
    """
    _check_unicode(name, value)
    if "\0" in value:
        raise ReviewError(f"{name}: character {value.index(chr(0)) + 1} is U+0000, which no text holds. Type the text again.")


def check_reader(name: str) -> None:
    """Refuses a reader's name that is blank, too long, or not text.

    Raises:
        ReviewError: It is one of these.
    """
    if not name.strip():
        raise ReviewError("reader: blank, so nothing can be stored. Every line names its reader.")
    if len(name) > MAX_READER:
        raise ReviewError(f"reader: {len(name)} characters, and at most {MAX_READER} can be stored. Shorten it.")
    check_text("reader", name)


def check_comment(comment: str) -> None:
    """Refuses a comment that is too long or not Unicode.

    Raises:
        ReviewError: It is one of these.
    """
    if len(comment) > MAX_COMMENT:
        raise ReviewError(f"comment: {len(comment)} characters, and at most {MAX_COMMENT} can be stored. Shorten it.")
    _check_unicode("comment", comment)


def _check_unicode(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ReviewError(f"{name}: character {error.start + 1} is half a Unicode pair. Type the text again.") from error
