"""Counts what an editor wants to know about a text."""

import math
import re
from collections import Counter

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")


def text_statistics(text, top=5, words_per_minute=230):
    """Counts characters, words, sentences and paragraphs.

    Args:
        text: The text.
        top: How many of the most frequent words to list.
        words_per_minute: A reader's speed.

    Returns:
        A dict with `characters`, `words`, `distinct_words`, `sentences`, `paragraphs`, `reading_seconds` and
        `top_words`, a list of `{"word", "count"}`, the most frequent first and equals in alphabetical order.
    """
    words = [word.casefold() for word in _WORD.findall(text)]
    counts = Counter(words)
    frequent = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    # The last sentence often lacks its full stop.
    sentences = sum(bool(_WORD.search(part)) for part in _SENTENCE_END.split(text))
    return {
        "characters": len(text),
        "words": len(words),
        "distinct_words": len(counts),
        "sentences": sentences,
        "paragraphs": len(paragraphs),
        "reading_seconds": math.ceil(len(words) * 60 / words_per_minute),
        "top_words": [{"word": word, "count": count} for word, count in frequent],
    }
