#!/usr/bin/env python3
"""Checks the golden values of proto/README.md with nothing but Python's standard library and what that page says.

    python3 tests/verify_format.py               checks every value, stops at the first that is wrong
    python3 tests/verify_format.py --self-test   also damages each byte of each value and shows that this is noticed

It shares no code with the ledger. canonical.py beside it reads Protobuf, zip215.py is Ed25519.
"""
import base64
import hashlib
import json
import os
import re
import struct
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no __pycache__ among the tests

from canonical import Refused, read_message, refuse_if
from zip215 import public_key, sign, verifies

ROOT = Path(__file__).resolve().parent.parent


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- What is signed, and the tree -------------------------------------------------------------------------------

HEADER_TYPE = b"application/vnd.timebank.sheet-header.v1+protobuf"
POSSESSION_TYPE = b"application/vnd.timebank.key-possession.v1+protobuf"


def pre_authentication_encoding(payload_type, payload):
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(payload), payload)


def key_id(key):
    return sha256(b"timebank key v1\n", b"\x01", key)[:16]


def leaf(index, recorded_at_ms, header, signatures):
    hashes = sha256(header) + sha256(bytes([len(signatures)]), *signatures)
    return struct.pack(">BQQ", 1, index, recorded_at_ms) + hashes


def leaf_hash(data):
    return sha256(b"\x00", data)


def tree_root(hashes):
    """RFC 6962, section 2.1, from leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01", tree_root(hashes[:split]), tree_root(hashes[split:]))


def root_of_proof(hashed, index, size, proof):
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for sibling in proof:
        refuse_if(last == 0, "a proof that is too long")
        if index & 1 or index == last:
            hashed = sha256(b"\x01", sibling, hashed)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            hashed = sha256(b"\x01", hashed, sibling)
        index, last = index >> 1, last >> 1
    refuse_if(last or index, "a proof that is too short")
    return hashed


def strict_base64(text):
    data = base64.b64decode(text, validate=True)
    refuse_if(base64.b64encode(data).decode() != text, "base64 in another form")
    return data


def open_checkpoint(note, vkey):
    """(origin, size, root) of a checkpoint that the key of a C2SP verifier key signed, or Refused."""
    name, key_hash, key = vkey.split("+", 2)
    algorithm_and_key = strict_base64(key)
    expected = sha256(name.encode(), b"\n", algorithm_and_key)[:4]
    refuse_if(algorithm_and_key[:1] != b"\x01" or bytes.fromhex(key_hash) != expected, "no Ed25519 verifier key")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.split("\n")[:-1]:
        dash, signer, signature = line.split(" ")
        data = strict_base64(signature)
        if (dash, signer, data[:4]) == ("\u2014", name, expected):
            refuse_if(not verifies(algorithm_and_key[1:], data[4:], text.encode()), "the note's signature")
            break
    else:
        raise Refused("no signature of this key")
    origin, size, root = text.split("\n")[:3]
    refuse_if(origin != name or not re.fullmatch("0|[1-9][0-9]*", size), "the checkpoint's first lines")
    return origin, int(size), strict_base64(root)


# ---- The golden values, from the inputs that proto/README.md states ---------------------------------------------

ORIGIN, ISSUED, DAY = "timebank.example/golden", 1767225600000, 86400000
AUTHOR, LEDGER, SERVICE = (bytes([number]) * 32 for number in (1, 2, 3))
VOLUNTEER, STATION, GRANDMOTHER, ISSUANCE = (bytes([number]) * 16 for number in (0x11, 0x22, 0x33, 0x44))


def checks(golden):
    """(what is claimed, whether it holds), one after another."""
    example = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    encoded = pre_authentication_encoding(b"http://example.com/HelloWorld", b"hello world")
    yield "the pre-authentication encoding is DSSE's own example", encoded == example
    for name, seed in (("author", AUTHOR), ("ledger", LEDGER), ("service", SERVICE)):
        yield f"{name}-public-key belongs to its seed", golden[f"{name}-public-key"] == public_key(seed)
    author = golden["author-public-key"]
    yield "author-key-id is of author-public-key", golden["author-key-id"] == key_id(author)

    service = {"volunteer": VOLUNTEER, "station": STATION, "category": "companionship", "activity": "home-visit",
               "interval": {"start_ms": ISSUED - DAY, "end_ms": ISSUED - DAY + 120 * 60000},
               "utc_offset_seconds": 8 * 3600, "credited_minutes": 120, "insured": 1}
    transfer = {"from": VOLUNTEER, "to": GRANDMOTHER, "minutes": 30}
    events = [golden["event-0"], golden["event-1"]]
    said = [{"salt": b"\xa0" * 16, "service_recorded": {"service": service}},
            {"salt": b"\xa1" * 16, "minutes_transferred": transfer}]
    for number in (0, 1):
        found = read_message("Event", events[number])
        yield f"event-{number} is canonical and says what it should", found == said[number]
    yield "events-root is over both", golden["events-root"] == tree_root([leaf_hash(event) for event in events])

    header = {"format": 1, "origin": ORIGIN, "sheet_id": bytes.fromhex("019b76daa80070008000000000000001"),
              "signers": [golden["author-key-id"]], "issued_at_ms": ISSUED, "valid_until_ms": ISSUED + 30 * DAY,
              "event_count": 2, "events_root": golden["events-root"]}
    yield "header is canonical and says what it should", read_message("SheetHeader", golden["header"]) == header
    pae, signature = golden["header-pae"], golden["header-signature"]
    yield "header-pae is of header", pae == pre_authentication_encoding(HEADER_TYPE, golden["header"])
    yield "header-signature verifies", verifies(author, signature, pae)
    yield "header-signature is RFC 8032's", signature == sign(AUTHOR, pae)

    leaves = [leaf(index, ISSUED + 60000 + index * 1000, golden["header"], [signature]) for index in range(8)]
    yield "leaf is that of index 7, 81 bytes", golden["leaf"] == leaves[7] and len(leaves[7]) == 81
    yield "leaf-hash is of leaf", golden["leaf-hash"] == leaf_hash(golden["leaf"])
    yield "root is over leaves 0 to 7", golden["root"] == tree_root([leaf_hash(data) for data in leaves])
    proof = [golden["inclusion-proof"][at:at + 32] for at in range(0, len(golden["inclusion-proof"]), 32)]
    yield "inclusion-proof leads to root", root_of_proof(golden["leaf-hash"], 7, 8, proof) == golden["root"]

    note, vkey = golden["checkpoint"].decode("utf-8"), golden["ledger-vkey"].decode("utf-8")
    key = base64.b64encode(b"\x01" + golden["ledger-public-key"]).decode()
    key_hash = sha256(ORIGIN.encode(), b"\n\x01", golden["ledger-public-key"])[:4]
    yield "ledger-vkey is of ledger-public-key", vkey == f"{ORIGIN}+{key_hash.hex()}+{key}\n"
    yield "checkpoint states and signs root", open_checkpoint(note, vkey.strip()) == (ORIGIN, 8, golden["root"])
    text = f"{ORIGIN}\n8\n{base64.b64encode(golden['root']).decode()}\n"
    line = base64.b64encode(key_hash + sign(LEDGER, text.encode())).decode()
    yield "checkpoint is nothing but that", note == f"{text}\n\u2014 {ORIGIN} {line}\n"

    possession = {"format": 1, "origin": ORIGIN, "public_key": author}
    found = read_message("KeyPossession", golden["possession"])
    yield "possession is canonical and says what it should", found == possession
    pae = golden["possession-pae"]
    yield "possession-pae is of possession", pae == pre_authentication_encoding(POSSESSION_TYPE, golden["possession"])
    yield "possession-signature verifies", verifies(author, golden["possession-signature"], pae)
    yield "possession-signature is RFC 8032's", golden["possession-signature"] == sign(AUTHOR, pae)

    event = read_message("Event", golden["genesis-event"])
    proven = event["ledger_created"].pop("service_possession")
    # The service key's KeyPossession ends in that key and is otherwise the author's.
    pae = pre_authentication_encoding(POSSESSION_TYPE, golden["possession"][:-32] + golden["service-public-key"])
    yield "genesis-event proves possession of the service key", proven == sign(SERVICE, pae)
    policy = {"rules": 1, "rounding_unit_minutes": 1, "roundings": [1, 2, 3], "floor_minutes": -600,
              "record_minutes_max": 480, "day_minutes_max": 960, "age_days_max": 366, "validity_days_max": 90,
              "tariffs": [{"category": "companionship", "minutes_per_hour": 60},
                          {"category": "haircut", "fixed_minutes": 30}]}
    created = {"origin": ORIGIN, "ledger_key": golden["ledger-public-key"], "operator_keys": [author],
               "service_key": golden["service-public-key"], "issuance_account": ISSUANCE, "policy": policy,
               "nonce": b"\x55" * 32}
    said = {"salt": b"\xa2" * 16, "ledger_created": created}
    yield "genesis-event is canonical and says what it should", event == said


def canonical_checks(table):
    """Each line: message, hex, `accepted` or `refused`, reason in words."""
    yield "there are canonical cases", bool(table.strip())
    for line in table.strip().splitlines():
        message, data, verdict, why = (part.strip() for part in line.split("|"))
        try:
            read_message(message, bytes.fromhex(data))
            found = "accepted"
        except ValueError:
            found = "refused"
        yield f"{message} {data} is {verdict}: {why}", found == verdict


def verdict_checks(table, cases):
    """The published edge cases against the table, whose lines begin with a case's number and V or X."""
    lines = table.strip().splitlines()
    yield "the table has a line for each of the published cases", len(lines) == len(cases)
    for line, case in zip(lines, cases):
        number, verdict, about = line.split(maxsplit=2)
        key, signature, message = (bytes.fromhex(case[name]) for name in ("pub_key", "signature", "message"))
        yield f"edge case {number} is {verdict}: {about}", verifies(key, signature, message) == (verdict == "V")


def first_fault(run, say=lambda line: None):
    """The first claim that doesn't hold, if any."""
    claim = "the first claim"
    try:
        for claim, holds in run:
            if not holds:
                return claim
            say(f"ok: {claim}")
    except (ValueError, KeyError, struct.error) as error:
        return f"what follows {claim!r} ({error})"
    return None


def self_test(golden, table):
    for name, value in golden.items():
        claims = set()
        for at in range(len(value)):
            damaged = value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1:]
            claim = first_fault(checks({**golden, name: damaged}))
            if claim is None:
                return f"a bit of byte {at} of {name} can be flipped unnoticed"
            claims.add(claim)
        print(f"caught: one bit flipped in each of the {len(value)} bytes of {name}, by {sorted(claims)[0]!r}")
    for line in table.strip().splitlines():
        turned = line.replace("accepted", "refus3d").replace("refused", "accepted").replace("refus3d", "refused")
        if first_fault(canonical_checks(turned)) is None:
            return f"the verdict can be turned unnoticed: {line}"
    print("caught: the verdict turned in each line of the canonical cases")
    return None


def main():
    page = (ROOT / "proto/README.md").read_text("utf-8")
    labelled = re.findall(r"^```text ([a-z-]+):([a-z0-9-]+)\n(.*?)^```$", page, re.M | re.S)
    blocks = {(kind, name): body for kind, name, body in labelled}
    golden = {name: bytes.fromhex(body) for (kind, name), body in blocks.items() if kind == "golden"}
    golden |= {name: body.encode() for (kind, name), body in blocks.items() if kind == "golden-text"}
    table = blocks["cases", "canonical"]
    fault = first_fault(checks(golden), print) or first_fault(canonical_checks(table), print)
    vectors = Path(os.environ.get("TIMEBANK_VECTORS", ROOT / "../shared/vectors")) / "speccheck/cases.json"
    if fault is None and vectors.exists():
        fault = first_fault(verdict_checks(blocks["cases", "zip215"], json.loads(vectors.read_text("utf-8"))), print)
    elif fault is None:
        print(f"skipped: the verdict table, because {vectors} does not exist (set TIMEBANK_VECTORS)")
    if fault is None and "--self-test" in sys.argv[1:]:
        fault = self_test(golden, table)
    if fault:
        print(f"WRONG: {fault}", file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
