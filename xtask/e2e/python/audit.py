"""Audits a log with aics-tlog: every tile and every bundle of entries, against a checkpoint that the key has signed.

Usage: audit.py URL KEYFILE

Prints one JSON object, as the commands of aics-tlog do. Exits with 0 when everything holds and with 1 when not.
"""

import json
import sys
from pathlib import Path

from aics_tlog import HttpTileReader, audit_tiles, parse_note, verify_checkpoint
from aics_tlog.note import read_vkey_file


def audit(url: str, key_file: str) -> dict:
    """Returns how many tiles and bundles were found good. Raises ValueError or OSError for anything else."""
    key = read_vkey_file(Path(key_file).read_text(encoding="utf-8"))
    reader = HttpTileReader(url, proxies={})
    checkpoint = verify_checkpoint(parse_note(reader.read_checkpoint()), key, [], 0)
    if not checkpoint.ok:
        raise ValueError(f"checkpoint: {checkpoint.error}")
    found = audit_tiles(reader, checkpoint.size, checkpoint.root)
    return {"size": found.size, "tiles": found.tiles, "bundles": found.bundles}


def main() -> int:
    """Audits the log that the arguments name."""
    url, key_file = sys.argv[1:]
    try:
        print(json.dumps({"ok": True, **audit(url, key_file)}))
    except Exception as error:  # Every failure of the library is a refusal; the caller tells those of the network apart.
        print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
