"""What crossed each site's wire, read behind TLS: every call, every record, and no piece of a row in any form."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import wire
from flwr.app import Message
from flwr.common.serde import recorddict_to_proto
from leaks import Search
from sites_world import HUB, PORT, Sites, able, federation

from ftbench.data.store import Store
from ftbench.node import certificates, gate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(not able(), reason="needs root and iproute2: network namespaces with wires between them"),
]

HONEST, ROGUE_SITE = 0, 1
ROUNDS = 3
ROGUE = """
import json, sys
from pathlib import Path

import numpy
from flwr.app import Array, ArrayRecord, ConfigRecord
from ftbench.node import gate, serve, settings
from safetensors.numpy import save

node = settings.read(Path(sys.argv[1]))
row = json.loads(node.path(node.settings.rows).read_text().splitlines()[0])["question"]
honest = serve.Server._answer

def answer(self, one, message, overrides, node_id):
    found = honest(self, one, message, overrides, node_id)
    if message.metadata.group_id == "1":
        found["note"] = ConfigRecord({"text": row})
    elif message.metadata.group_id == "2":
        found["config"]["client-state"] = row.encode().hex()
    elif message.metadata.group_id == "3":
        arrays = gate.unpacked(found["adapter"])
        name = sorted(arrays)[0]
        values = arrays[name].copy()
        values.reshape(-1)[5 : 5 + len(row)] = [ord(one) for one in row]
        packed = numpy.frombuffer(save({**arrays, name: values}), dtype=numpy.uint8)
        found["adapter"] = ArrayRecord({gate.PACKED: Array(packed)})
    return found

serve.Server._answer = answer
serve.Server(node, lambda text: print(text, flush=True)).conduct()
"""
"""A node without a gate: it sends a row's text as it is, as hex, and in the values of its adapter."""


def recorded(made: Sites, number: int) -> Path:
    """Put a recorder between a site and the SuperLink; the folder where it keeps what crosses."""
    keys, kept = made.folder / "recorder", made.folder / f"wire-{number}"
    keys.mkdir(exist_ok=True)
    kept.mkdir()
    own = made.folder / "organiser"
    found = certificates.make("clinics", HUB, ((own / "ca.pem").read_bytes(), (own / "ca.key").read_bytes()))
    (keys / "certificate").write_bytes(found.superlink)
    (keys / "key").write_bytes(found.superlink_key)
    ends = f"{HUB}:{PORT + 100 + number} {HUB}:{PORT}"
    process = made.start(
        f"{sys.executable} {Path(wire.__file__)} {ends} {keys}/certificate {keys}/key {own}/ca.pem {kept}",
        f"recorder-{number}",
    )
    made.said(f"recorder-{number}", "recording", process)
    home = f"at-{made.names[number]}/{made.names[number]}"
    made.run(f"ftbench node {home} --kit kit --look", number)
    path = made.folder / home / "node.toml"
    path.write_text(path.read_text().replace(f"{HUB}:{PORT}", f"{HUB}:{PORT + 100 + number}"))
    return kept


def rogue(made: Sites, number: int) -> subprocess.Popen[bytes]:
    script, name = made.folder / "rogue.py", made.names[number]
    script.write_text(ROGUE)
    process = made.start(f"{sys.executable} {script} at-{name}/{name}", name, number)
    made.said(name, "SuperNode ID", process)
    return process


def searched(made: Sites) -> Search:
    from tokenizers import Tokenizer

    plan = json.loads(next((made.folder / "kit").rglob("plan.json")).read_bytes())
    model = Store.default("").model_path(plan["spec"]["model"]["base"]["revision"])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    texts = []
    for number in range(made.count):
        home = made.folder / f"at-{made.names[number]}" / made.names[number]
        for line in (home / "rows.jsonl").read_text().splitlines():
            row = json.loads(line)
            texts += [row["question"], f"{row['question']} {row['answer']}"]
    return Search(texts, lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids))


def contents(message: Message) -> bytes:
    data: bytes = recorddict_to_proto(message.content).SerializeToString()
    return data


def test_every_record_is_known_and_none_holds_a_row(tmp_path: Path) -> None:
    with federation(tmp_path, 2) as made:
        kept = [recorded(made, number) for number in range(2)]
        made.node(HONEST, "")
        rogue(made, ROGUE_SITE)
        run = made.start(f"organiser/run.sh {made.spec} --out runs --round-timeout 900", "run")
        run.wait(timeout=3600)
        assert made.rounds("runs/clinics-default-s1") == ROUNDS, made.log("run")
        search = searched(made)
        honest, other = (wire.read(folder) for folder in kept)

        # What the honest site was asked and what it sent: these records, and no others.
        down, up = list(honest.messages(wire.DOWN)), list(honest.messages(wire.UP))
        kinds = ["query", *["train"] * ROUNDS]
        assert [one.metadata.message_type for one in down] == kinds
        assert [one.metadata.message_type for one in up] == kinds
        assert wire.listed(down[0]) == {} and wire.listed(up[0]) == {"MetricRecord metrics": "partition-id: int"}
        for message in down[1:]:
            found = wire.listed(message)
            assert found.keys() == {"ArrayRecord adapter", "ConfigRecord config"}
            assert found["ConfigRecord config"] == "client-state: str, learning-rate: float, round: int"
        for message in up[1:]:
            found = wire.listed(message)
            assert found.keys() == {"ArrayRecord adapter", "ConfigRecord config", "MetricRecord metrics"}
            assert found["ConfigRecord config"] == "client-state: str"
            assert {one.partition(":")[0] for one in found["MetricRecord metrics"].split(", ")} == gate.METRICS
        # No piece of any row of any site in any byte of it, headers included, nor in what the pieces make together.
        assert {name: search.found(data) for name, data in honest.streams.items() if search.found(data)} == {}
        assert not any(search.found(contents(message)) for message in (*down, *up))

        # The same search sees each of the rogue's ways, and nothing in what it was sent.
        train = [one for one in other.messages(wire.UP) if one.metadata.message_type == "train"]
        ways = [search.found(contents(one)) for one in train]
        assert len(ways) == ROUNDS and all(ways), ways
        assert "u1" in ways[0] and "hex u1" in ways[1] and "<f4" in ways[2]
        assert not any(search.found(contents(message)) for message in other.messages(wire.DOWN))
        assert any(search.found(data) for name, data in other.streams.items() if name.endswith(wire.UP))
        table(honest, made.ledger("runs/clinics-default-s1"))


def table(found: wire.Wire, ledger: list[dict[str, object]]) -> None:
    """What docs/deployment.md has, for whoever runs this with -s; bytes of bodies and, in all, of headers too."""
    calls: Counter[str] = Counter(call.kind for call in found.calls)
    for kind, count in sorted(calls.items()):
        those = [call for call in found.calls if call.kind == kind]
        fields = sorted({field.name for call in those for field, _ in call.request.ListFields()})
        back = sorted({field.name for call in those if call.response for field, _ in call.response.ListFields()})
        up, down = sum(call.bytes_up for call in those), sum(call.bytes_down for call in those)
        print(f"{kind}: {count} calls, {up} up ({', '.join(fields)}), {down} down ({', '.join(back)})")
    for way in (wire.DOWN, wire.UP):
        for message in found.messages(way):
            print(way, message.metadata.message_type, message.metadata.group_id, wire.listed(message))
        print(way, sum(len(data) for name, data in found.streams.items() if name.endswith(way)), "bytes in all")
    print([(line.get("bytes_down"), line.get("bytes_up")) for line in ledger if line["event"] == "round"])
