"""Verifies a served log with `cryptography` (Ed25519) and `scitt-cose` (RFC 9162), and nothing of Callgate's.

usage: verify.py DIRECTORY VKEY PROOF LEAF [SAVED_CHECKPOINT CONSISTENCY]

Opens the checkpoint, computes the root again from every entry bundle, verifies the inclusion proof (a `.tlog-proof`
file) of one record, and, if there is a saved checkpoint, the consistency proof (base64 hashes, one to a line).
Exit 0 if all holds.
"""

import base64
import hashlib
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from scitt_cose import merkle


def open_note(note: bytes, vkey: str) -> str:
    """The text of a signed note, https://c2sp.org/signed-note."""
    name, _, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1, "not an Ed25519 key"
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    text, signatures = note.decode().rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if dash == "—" and signer == name and signature[:4] == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
            return text
    raise ValueError("not signed by the key")


def checkpoint(note: bytes, vkey: str) -> tuple[int, bytes]:
    _origin, size, root, end = open_note(note, vkey).split("\n")
    assert end == ""
    return int(size), base64.b64decode(root, validate=True)


def tile_name(number: int) -> str:
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return "/".join(groups)


def entries(root: pathlib.Path, size: int) -> list[bytes]:
    found = []
    for number in range((size + 255) // 256):
        count = min(256, size - number * 256)
        name = tile_name(number) + (f".p/{count}" if count < 256 else "")
        data = (root / "tile" / "entries" / name).read_bytes()
        bundle = []
        while data:
            length = int.from_bytes(data[:2], "big")
            assert len(data) >= 2 + length, "an entry bundle is cut off"
            bundle.append(data[2 : 2 + length])
            data = data[2 + length :]
        assert len(bundle) == count, f"bundle {number} has {len(bundle)} entries, not {count}"
        found += bundle
    return found


def tree_root(hashes: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = tree_root(hashes[:split]), tree_root(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def main(root: str, vkey: str, proof_file: str, leaf_file: str, saved: str = "", consistency: str = "") -> None:
    directory = pathlib.Path(root)
    size, signed = checkpoint((directory / "checkpoint").read_bytes(), vkey)
    hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries(directory, size)]
    assert tree_root(hashes) == signed, "the records do not have the root that was signed"

    if saved:
        old_size, old_root = checkpoint(pathlib.Path(saved).read_bytes(), vkey)
        assert old_size <= size, f"the log has {size} records, the saved checkpoint {old_size}: rolled back"
        path = [base64.b64decode(line).hex() for line in pathlib.Path(consistency).read_text().split()]
        assert merkle.verify_consistency(old_root.hex(), signed.hex(), old_size, size, path), "consistency"
        assert not merkle.verify_consistency(signed.hex(), signed.hex(), old_size, size, path), "takes anything"

    head, note = pathlib.Path(proof_file).read_text().split("\n\n", 1)
    magic, index, *path = head.split("\n")
    assert magic == "c2sp.org/tlog-proof@v1"
    index = int(index.removeprefix("index "))
    proof_size, proof_root = checkpoint(note.encode(), vkey)
    leaf = pathlib.Path(leaf_file).read_bytes()
    path = [base64.b64decode(line, validate=True).hex() for line in path]
    assert merkle.verify_inclusion(leaf.hex(), index, proof_size, path, proof_root.hex()), "inclusion"
    assert not merkle.verify_inclusion((leaf + b" ").hex(), index, proof_size, path, proof_root.hex()), "takes anything"
    assert hashes[index] == hashlib.sha256(b"\x00" + leaf).digest(), "the log has another record there"


try:
    main(*sys.argv[1:])
except Exception as error:
    sys.exit(f"rejected: {error!r}")
print("accepted")
