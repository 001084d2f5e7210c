#!/usr/bin/env python3
"""A client in Python: grpcio with stubs generated from proto/, sheets built and signed by hand.

    python_client.py                        builds and checks a sheet, talks to nobody
    python_client.py HOST:PORT              also asks a server for health, reflection and status
    python_client.py HOST:PORT --key FILE   also writes: opens accounts, records, reads, is refused
                    --enrol NEW             also runs the enrolment of proto/README.md, which leaves a new key in NEW

Needs the packages that proto/README.md names and grpcio-reflection; without them it says so and exits 77. Exits 1 at the
first thing that isn't as proto/README.md says.
"""
import argparse
import importlib
import os
import re
import secrets
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no __pycache__ among the tests

import canonical
import verify_format as formats
import zip215

try:
    import cryptography
    import google.rpc
    import grpc
    from google.protobuf import descriptor_pool, message_factory
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    from grpc_tools import protoc
except ImportError as error:
    print(f"skipped: {error}; pip install grpcio grpcio-tools grpcio-reflection googleapis-common-protos cryptography")
    sys.exit(77)

PROTO = Path(__file__).resolve().parent.parent / "proto"
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
REGION = "python-client"

# As much of the standard health, reflection and error messages as is looked at here; what they are called in transit
# is decided by the method's path alone.
EDGES = """
syntax = "proto3";
package edges;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse { int32 status = 1; }
message ReflectionRequest { oneof request { string list_services = 7; } }
message ReflectionResponse { ServiceList list_services_response = 6; }
message ServiceList { repeated Service service = 1; }
message Service { string name = 1; }
message Any { string type_url = 1; bytes value = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
"""


def expect(holds, claim):
    if not holds:
        print(f"WRONG: {claim}", file=sys.stderr)
        sys.exit(1)
    print(f"ok: {claim}")


def generate_stubs(folder):
    """Modules of the messages, of the service's stub, and of EDGES; generated anew each time."""
    (folder / "edges.proto").write_text(EDGES, "utf-8")
    included = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{folder}", f"-I{included}"]
    arguments += [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    files = ["timebank/v1/sheet.proto", "timebank/v1/ledger_service.proto", "edges.proto"]
    expect(protoc.main(arguments + files) == 0, "stubs are generated from proto/")
    sys.path.insert(0, str(folder))
    package = "timebank.v1."
    names = (package + "sheet_pb2", package + "ledger_service_pb2", package + "ledger_service_pb2_grpc", "edges_pb2")
    return [importlib.import_module(name) for name in names]


def new_sheet_id(now_ms):
    """A UUIDv7 (RFC 9562): 48 bits of time, the rest random but for version and variant."""
    random = bytearray(secrets.token_bytes(10))
    random[0], random[2] = random[0] & 0x0F | 0x70, random[2] & 0x3F | 0x80
    return struct.pack(">Q", now_ms)[2:] + bytes(random)


class Author:
    """Builds and signs sheets with one key."""

    def __init__(self, messages, seed, origin):
        self.messages, self.seed, self.origin = messages, seed, origin
        self.public_key = zip215.public_key(seed)

    def event(self, **kind):
        return self.messages.Event(salt=secrets.token_bytes(16), **kind).SerializeToString(deterministic=True)

    def sheet(self, events, sheet_id=None):
        now_ms = int(time.time() * 1000)
        header = self.messages.SheetHeader(
            format=1,
            origin=self.origin,
            sheet_id=sheet_id or new_sheet_id(now_ms),
            signers=[formats.key_id(self.public_key)],
            issued_at_ms=now_ms,
            valid_until_ms=now_ms + 30 * DAY_MS,
            event_count=len(events),
            events_root=formats.tree_root([formats.leaf_hash(event) for event in events]),
        ).SerializeToString(deterministic=True)
        signature = zip215.sign(self.seed, formats.pre_authentication_encoding(formats.HEADER_TYPE, header))
        return self.messages.Sheet(header=header, events=events, signatures=[signature])

    def two_hours(self, volunteer, station):
        """A ServiceRecorded that ended an hour ago, paid by issuance."""
        end_ms = int(time.time()) // 60 * 60_000 - HOUR_MS
        service = self.messages.Service(
            volunteer=volunteer,
            station=station,
            category="companionship",
            interval=self.messages.Interval(start_ms=end_ms - 2 * HOUR_MS, end_ms=end_ms),
            utc_offset_seconds=8 * 3600,
            credited_minutes=120,
        )
        return self.event(service_recorded=self.messages.ServiceRecorded(service=service))


def check_sheet(author, sheet):
    """What an auditor would check of a sheet, with nothing but its bytes and the author's key."""
    header = canonical.read_message("SheetHeader", sheet.header)
    for event in sheet.events:
        canonical.read_message("Event", event)
    root = formats.tree_root([formats.leaf_hash(event) for event in sheet.events])
    message = formats.pre_authentication_encoding(formats.HEADER_TYPE, sheet.header)
    binds = header["events_root"] == root and header["event_count"] == len(sheet.events)
    expect(binds, "the sheet is canonical, and its header binds its events")
    expect(zip215.verifies(author.public_key, sheet.signatures[0], message), "its signature verifies")


def check_edges(channel, edges):
    """Standard health and reflection."""
    health = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=edges.HealthCheckRequest.SerializeToString,
        response_deserializer=edges.HealthCheckResponse.FromString,
    )
    expect(health(edges.HealthCheckRequest(), timeout=10).status == 1, "health is SERVING")
    for version in ("v1", "v1alpha"):
        reflection = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=edges.ReflectionRequest.SerializeToString,
            response_deserializer=edges.ReflectionResponse.FromString,
        )
        answer = next(reflection(iter([edges.ReflectionRequest(list_services="")]), timeout=10))
        names = [service.name for service in answer.list_services_response.service]
        expect("timebank.v1.LedgerService" in names, f"reflection {version} lists timebank.v1.LedgerService")


def check_reflection(channel):
    """A client without a single file: Python's own package for reflection, which asks in v1alpha."""
    database = ProtoReflectionDescriptorDatabase(channel)
    expect("timebank.v1.LedgerService" in database.get_services(), "grpcio-reflection lists the service")
    service = descriptor_pool.DescriptorPool(database).FindServiceByName("timebank.v1.LedgerService")
    method = service.methods_by_name["GetStatus"]
    request = message_factory.GetMessageClass(method.input_type)
    response = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    status = call(request(), timeout=10)
    expect(status.size >= 1 and status.policy.rounding_unit_minutes >= 1, "a message built from reflection is answered")


def check_deadlines(ledger, account):
    """A deadline that passes is DEADLINE_EXCEEDED, whatever the call waits for."""
    requests, stub = ledger.requests, ledger.stub
    size = ledger.status().size
    calls = {
        "a read that waits": lambda: stub.GetBalance(
            requests.GetBalanceRequest(account=account, min_index=size + 1_000), timeout=1
        ),
        "a subscription": lambda: list(stub.Subscribe(requests.SubscribeRequest(from_index=0), timeout=1)),
        "a stream of sheets": lambda: list(stub.SubmitStream(never_ending(), timeout=1)),
    }
    for name, call in calls.items():
        try:
            call()
            expect(False, f"{name} ends with its deadline")
        except grpc.RpcError as error:
            expect(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, f"{name}: {error.code().name}")


def never_ending():
    """Requests that don't come. The pause ends with the program at the latest."""
    time.sleep(5)
    yield from ()


def check_enrolment(ledger, folder, arguments, messages, station):
    """Runs the program that proto/README.md has for it, and has the new key record something."""
    readme = (PROTO / "README.md").read_text("utf-8")
    program = folder / "enrol.py"
    program.write_text(re.search(r"^```python run:enrol\n(.*?)^```$", readme, re.M | re.S)[1], "utf-8")
    command = [sys.executable, program, arguments.server.removeprefix("http://"), arguments.key, station.hex(), arguments.enrol]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    expect(ended.returncode == 0, f"the enrolment of proto/README.md: {ended.stdout.strip()}{ended.stderr.strip()}")
    author = Author(messages, *read_key_file(arguments.enrol))
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    expect(again.returncode != 0, "a key file is never overwritten")
    keys = ledger.stub.ListKeys(ledger.requests.ListKeysRequest(account=station), timeout=10).keys
    known = [(key.public_key, key.role) for key in keys]
    expect(known == [(author.public_key, messages.KEY_ROLE_STAFF)], "the new key, and no other, is staff of the station")
    resident = secrets.token_bytes(16)
    opened = messages.AccountOpened(account=resident, kind=messages.ACCOUNT_KIND_RESIDENT, station=station)
    sheet = author.sheet([author.event(account_opened=opened), author.two_hours(resident, station)])
    expect(len(ledger.submit(sheet).receipt.events) == 2, "who was enrolled opens an account and records")


class Ledger:
    """The server, as this test talks to it."""

    def __init__(self, channel, requests, grpc_stubs, edges):
        self.stub, self.requests, self.edges = grpc_stubs.LedgerServiceStub(channel), requests, edges

    def status(self):
        return self.stub.GetStatus(self.requests.GetStatusRequest(), timeout=10)

    def submit(self, sheet):
        request = self.requests.SubmitRequest(sheet=sheet, until=self.requests.UNTIL_PUBLISHED)
        return self.stub.Submit(request, timeout=30)

    def expect_refusal(self, sheet, reason, claim):
        try:
            self.submit(sheet)
        except grpc.RpcError as error:
            metadata = dict(error.trailing_metadata())
            status = self.edges.Status.FromString(metadata.get("grpc-status-details-bin", b""))
            found = [
                self.edges.ErrorInfo.FromString(detail.value)
                for detail in status.details
                if detail.type_url.endswith("/google.rpc.ErrorInfo")
            ]
            said = [(info.reason, info.domain) for info in found]
            expect(said == [(reason, "timebank")], f"{claim}: {error.code().name} {said}")
        else:
            expect(False, f"{claim}: it was accepted")


def check_publication(answer, sheet, status):
    """The published entry is under a checkpoint of the ledger's key."""
    receipt, publication = answer.receipt, answer.publication
    leaf = formats.leaf(receipt.index, receipt.recorded_at_ms, sheet.header, list(sheet.signatures))
    origin, size, root = formats.open_checkpoint(publication.checkpoint, status.ledger_vkey)
    proof = list(publication.inclusion_proof)
    found = formats.root_of_proof(formats.leaf_hash(leaf), receipt.index, size, proof)
    expect(origin == status.origin and found == root, f"entry {receipt.index} is in the checkpoint of size {size}")


def check_writing(ledger, author, messages, status):
    """Opens a station and a resident, records two hours, sends all of it again, and reads it."""
    requests = ledger.requests
    station, resident = secrets.token_bytes(16), secrets.token_bytes(16)
    regions = ledger.stub.ListRegions(requests.ListRegionsRequest(), timeout=10).regions
    opened = [
        messages.AccountOpened(account=station, kind=messages.ACCOUNT_KIND_STATION, region=REGION),
        messages.AccountOpened(account=resident, kind=messages.ACCOUNT_KIND_RESIDENT, station=station),
    ]
    events = [author.event(account_opened=account) for account in opened]
    if all(region.code != REGION for region in regions):
        events.insert(0, author.event(region_defined=messages.RegionDefined(code=REGION)))
    opening = author.sheet(events)
    check_publication(ledger.submit(opening), opening, status)
    print("ok: a station and a resident are opened")

    sheet = author.sheet([author.two_hours(resident, station)])
    check_sheet(author, sheet)
    answer = ledger.submit(sheet)
    check_publication(answer, sheet, status)
    postings = {posting.account: posting.minutes for posting in answer.receipt.events[0].postings}
    expect(postings == {resident: 120, status.issuance_account: -120}, "120 minutes are posted, and the sum is zero")
    expect(ledger.submit(sheet).receipt == answer.receipt, "the same sheet again gets the first receipt")
    size = ledger.status().size
    expect(size == answer.receipt.index + 1, "and nothing was recorded twice")

    index = answer.receipt.index
    balance = ledger.stub.GetBalance(requests.GetBalanceRequest(account=resident, min_index=index), timeout=10)
    expect(balance.balance_minutes == 120 and balance.reflected_index >= index, "the balance is 120 minutes")
    rows = ledger.stub.ListHistory(requests.ListHistoryRequest(account=resident, min_index=index), timeout=10).rows
    told = [(row.event.index, row.minutes, row.balance_after_minutes) for row in rows]
    expect(told == [(index, 120, 120)], "the history has one row of 120 minutes")
    check_refusals(ledger, author, messages, sheet, author.two_hours(resident, station))
    expect(ledger.status().size == size, "none of the refused sheets was recorded")
    check_deadlines(ledger, resident)
    return station


def check_refusals(ledger, author, messages, sheet, event):
    """Bad sheets, each wrong in one way."""

    def damaged(part, number):
        other = messages.Sheet.FromString(sheet.SerializeToString())
        parts = getattr(other, part)
        parts[number] = parts[number][:-1] + bytes([parts[number][-1] ^ 1])
        return other

    ledger.expect_refusal(damaged("signatures", 0), "SignatureInvalid", "a signature with a bit flipped is refused")
    salt = bytes([event[2] ^ 1])
    other_salt = messages.Sheet(header=sheet.header, events=[event[:2] + salt + event[3:]], signatures=sheet.signatures)
    ledger.expect_refusal(other_salt, "EventsRootMismatch", "another event under the same header is refused")
    sheet_id = canonical.read_message("SheetHeader", sheet.header)["sheet_id"]
    same_id = author.sheet([event], sheet_id)
    ledger.expect_refusal(same_id, "SheetExistsWithDifferentBytes", "a sheet id used again is refused")
    # The same fields, the salt (18 bytes) last.
    swapped = author.sheet([event[18:] + event[:18]])
    ledger.expect_refusal(swapped, "EncodingNotCanonical", "an event with its fields swapped is refused")
    stripped = messages.Sheet(header=sheet.header, events=sheet.events)
    ledger.expect_refusal(stripped, "SignatureCountMismatch", "a sheet without its signature is refused")


def read_key_file(path):
    """Seed and origin."""
    text = Path(path).read_text("utf-8")
    found = dict(re.findall(r'^\s*(seed|origin)\s*=\s*"([^"]*)"', text, re.M))
    return bytes.fromhex(found["seed"]), found["origin"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", nargs="?", metavar="HOST:PORT")
    parser.add_argument("--key", metavar="FILE", help="operator key")
    parser.add_argument("--enrol", metavar="NEW", help="where the enrolment leaves a new key")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        messages, requests, grpc_stubs, edges = generate_stubs(Path(folder))
        author = Author(messages, secrets.token_bytes(32), "timebank.example/nobody")
        check_sheet(author, author.sheet([author.two_hours(b"\x11" * 16, b"\x22" * 16) for _ in range(5)]))
        if arguments.server is None:
            return
        with grpc.insecure_channel(arguments.server.removeprefix("http://")) as channel:
            check_edges(channel, edges)
            check_reflection(channel)
            ledger = Ledger(channel, requests, grpc_stubs, edges)
            status = ledger.status()
            sound = status.size >= 1 and status.balance_sum_minutes == 0
            expect(sound, f"{status.origin} has entries, and its balances sum to zero")
            if arguments.key is not None:
                seed, origin = read_key_file(arguments.key)
                expect(origin == status.origin, "the key file is for this ledger")
                station = check_writing(ledger, Author(messages, seed, origin), messages, status)
                if arguments.enrol is not None:
                    check_enrolment(ledger, Path(folder), arguments, messages, station)


if __name__ == "__main__":
    main()
