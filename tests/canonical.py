"""Reads the Protobuf messages of proto/timebank/v1/sheet.proto in canonical form, and refuses every other.

There is one encoding for each meaning, so reading bytes strictly and finding the expected fields proves the bytes as
well as writing them anew would.
"""
import re
from pathlib import Path


class Refused(ValueError):
    """Bytes that no ledger may accept."""


def refuse_if(wrong, why):
    if wrong:
        raise Refused(why)


def read_schema(text):
    """{message: {number: (name, type, group)}}; the group is "", "repeated", or the oneof that the field is in."""
    messages = {}
    for message, body in re.findall(r"^message (\w+) \{(.*?)^\}", re.sub(r"//.*", "", text), re.M | re.S):
        fields, oneof = messages.setdefault(message, {}), ""
        for line in map(str.strip, body.splitlines()):
            if found := re.fullmatch(r"(repeated )?(\w+) (\w+) = (\d+);", line):
                fields[int(found[4])] = (found[3], found[2], "repeated" if found[1] else oneof)
            elif line:
                oneof = line.split()[1] if line.startswith("oneof ") else ""
    return messages


MESSAGES = read_schema((Path(__file__).resolve().parent.parent / "proto/timebank/v1/sheet.proto").read_text("utf-8"))


def read_varint(data, at):
    value = 0
    for count in range(10):
        refuse_if(at + count >= len(data), "cut off")
        byte = data[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            refuse_if(count and byte == 0, "a varint longer than it need be")
            refuse_if(value >= 1 << 64, "a varint of more than 64 bits")
            return value, at + count + 1
    raise Refused("a varint of more than 10 bytes")


def read_number(kind, raw):
    bits = 32 if kind.endswith("int32") else 1 if kind == "bool" else 64
    refuse_if(raw >> bits, f"a {kind} of more than {bits} bits")
    if kind.startswith("sint"):  # zigzag
        return raw >> 1 ^ -(raw & 1)
    value = raw - (1 << 64) if raw >> 63 and kind != "uint64" else raw
    refuse_if(kind[0].isupper() and not -(1 << 31) <= value < 1 << 31, "an enum of more than 32 bits")
    return value


def read_message(message, data):
    """{field: value} of the fields that are there, or Refused."""
    found, previous, at, oneofs = {}, 0, 0, set()
    while at < len(data):
        tag, at = read_varint(data, at)
        refuse_if(tag >> 3 not in MESSAGES[message], "an unknown field")
        name, kind, group = MESSAGES[message][tag >> 3]
        is_text, is_list = kind in ("bytes", "string") or kind in MESSAGES, group == "repeated"
        is_packed = is_list and not is_text
        refuse_if(tag & 7 != (2 if is_text or is_packed else 0), f"{name}: another wire type")
        refuse_if(tag >> 3 < previous, f"{name}: after a field of a higher number")
        refuse_if(tag >> 3 == previous and not (is_list and is_text), f"{name}: twice")
        refuse_if(group in oneofs, f"{name}: another member of its oneof is there")
        previous = tag >> 3
        raw, at = read_varint(data, at)
        if tag & 7 == 0:
            value = read_number(kind, raw)
        else:
            refuse_if(at + raw > len(data), f"{name}: cut off")
            chunk, at = data[at:at + raw], at + raw
            value = read_packed(kind, chunk) if is_packed else read_text(kind, chunk)
        refuse_if(value in (0, b"", "") and not group and kind not in MESSAGES, f"{name}: present with its default")
        if is_list:
            found.setdefault(name, []).extend(value if is_packed else [value])
        else:
            found[name] = value
            oneofs.update({group} - {""})
    return found


def read_text(kind, chunk):
    return read_message(kind, chunk) if kind in MESSAGES else chunk.decode("utf-8") if kind == "string" else chunk


def read_packed(kind, chunk):
    values, at = [], 0
    refuse_if(not chunk, "an empty packed list")
    while at < len(chunk):
        raw, at = read_varint(chunk, at)
        values.append(read_number(kind, raw))
    return values
