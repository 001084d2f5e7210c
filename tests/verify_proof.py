#!/usr/bin/env python3
"""Verifies the proof files of docs/proofs.md with nothing but Python's standard library and what that page says.

    python3 tests/verify_proof.py FILE VKEY      an event in a ledger, or two checkpoints of one

Prints what the file proves and exits with 0, or says why it proves nothing and exits with 1.
It shares no code with the ledger.
"""
import sys
from pathlib import Path

from canonical import read_message, refuse_if
from verify_format import (HEADER_TYPE, key_id, leaf, leaf_hash, open_checkpoint, pre_authentication_encoding,
                           root_of_proof, sha256, strict_base64)
from zip215 import verifies


def verify_event(text, vkey):
    """What is proved of one event; proof > event > sheet > log > checkpoint."""
    body, _, checkpoint = text.partition("\n\n")
    first, extra, index, *path = body.split("\n")
    refuse_if(first != "c2sp.org/tlog-proof@v1" or extra[:6] != "extra " or index[:6] != "index ", "another format")
    found = read_message("EventInEntry", strict_base64(extra[6:]))
    index, path = int(index[6:]), [strict_base64(line) for line in path]
    origin, size, root = open_checkpoint(checkpoint, vkey)
    header = read_message("SheetHeader", found["header"])
    refuse_if(header["origin"] != origin, "a sheet for another ledger")
    signers, keys, signatures = header["signers"], found["public_keys"], found["signatures"]
    refuse_if(not len(signers) == len(keys) == len(signatures), "as many keys and signatures as signers")
    message = pre_authentication_encoding(HEADER_TYPE, found["header"])
    for signer, key, signature in zip(signers, keys, signatures):
        refuse_if(key_id(key) != signer, "another key than the signer's")
        refuse_if(not verifies(key, signature, message), "a signature")
    number, count = found.get("number", 0), header["event_count"]
    refuse_if(number >= count or index >= size, "no such event")
    events_root = root_of_proof(leaf_hash(found["event"]), number, count, found.get("inclusion_proof", []))
    refuse_if(events_root != header["events_root"], "the path to events_root")
    entry = leaf(index, found["recorded_at_ms"], found["header"], signatures)
    refuse_if(root_of_proof(leaf_hash(entry), index, size, path) != root, "the path to the checkpoint's root")
    event = read_message("Event", found["event"])
    kind = next(name for name in event if name != "salt")
    return f"{origin}: event {number} of entry {index} is {kind}, under {size} entries"


def roots_of_path(old, new, path):
    """Roots over the first `old` and over `new` entries (RFC 9162, section 2.1.4.2, with the first hash always there)."""
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    refuse_if(not path, "no path")
    old_root = new_root = path[0]
    for sibling in path[1:]:
        refuse_if(last == 0, "a path that is too long")
        if node & 1 or node == last:
            old_root, new_root = sha256(b"\x01", sibling, old_root), sha256(b"\x01", sibling, new_root)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new_root = sha256(b"\x01", new_root, sibling)
        node, last = node >> 1, last >> 1
    refuse_if(last, "a path that is too short")
    return old_root, new_root


def verify_pair(text, vkey):
    """Whether two checkpoints can both be true."""
    head, old_text, old_lines, new_text, new_lines = text.split("\n\n")
    first, key, *path = head.split("\n")
    refuse_if(first != "timebank checkpoint pair v1" or key != f"key {vkey}", "another format, or another key")
    origin, old, old_root = open_checkpoint(f"{old_text}\n\n{old_lines}\n", vkey)
    _, new, new_root = open_checkpoint(f"{new_text}\n\n{new_lines}", vkey)
    refuse_if(old > new, "the older checkpoint comes first")
    if old in (0, new):
        refuse_if(path, "a path where none is needed")
        then = sha256() if old == 0 else new_root
    else:
        then, now = roots_of_path(old, new, [strict_base64(line) for line in path])
        refuse_if(now != new_root, "the path to the newer root")
    verdict = "continues" if then == old_root else "CONTRADICTS"
    return f"{origin}: the log over {new} entries {verdict} the one over {old}"


def main():
    text = Path(sys.argv[1]).read_text("utf-8")
    try:
        proved = (verify_pair if text.startswith("timebank ") else verify_event)(text, sys.argv[2])
    except (ValueError, KeyError, IndexError) as error:
        print(f"proves nothing: {error}", file=sys.stderr)
        return 1
    print(proved)
    return 0


if __name__ == "__main__":
    sys.exit(main())
