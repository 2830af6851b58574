"""Makes the part of a URL that names a page."""

import re
import unicodedata

# What decomposition does not take apart.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"})


def slugify(text, separator="-", max_length=80):
    """Makes a slug of ASCII letters, digits and separators.

    Args:
        text: A title in any Latin script. Characters that have no ASCII form are left out.
        separator: What stands between words.
        max_length: Characters at most. Cut between words where that can be.

    Returns:
        The slug; empty when no character has an ASCII form.
    """
    if max_length < 1:
        raise ValueError("max_length is at least 1")
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    words = re.findall(r"[a-z0-9]+", folded.encode("ascii", "ignore").decode().replace("'", ""))
    slug = ""
    for word in words:
        longer = slug + separator + word if slug else word[:max_length]
        if len(longer) > max_length:
            break
        slug = longer
    return slug
