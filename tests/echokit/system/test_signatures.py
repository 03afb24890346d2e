"""A signature holds for one file and one key, and every refusal is a sentence of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from echokit import DamagedError, UsageError, make_signing_key
from echokit.system.signatures import read_private_key, sign_file, verify_file


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "my.key", make_signing_key(tmp_path / "my.key")


@pytest.fixture
def signed(tmp_path, keys):
    (tmp_path / "facts.json").write_text('{"a": 1}')
    sign_file(tmp_path / "facts.json", tmp_path / "facts.json.sig", keys[0])
    return tmp_path / "facts.json", tmp_path / "facts.json.sig"


def test_a_signed_file_is_verified_and_signing_again_gives_the_same_bytes(keys, signed):
    file, signature = signed
    verify_file(file, signature, keys[1])
    before = signature.read_bytes()
    sign_file(file, signature, keys[0])
    assert signature.read_bytes() == before


def test_the_signature_is_plain_ed25519_over_the_bytes_of_the_file(keys, signed):
    file, signature = signed
    public = form.load_pem_public_key(keys[1].read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(
        base64.b64decode(json.loads(signature.read_text())["signature"]), file.read_bytes()
    )


def test_keys_are_pem_files_and_the_private_one_is_its_owners_alone(keys):
    private, public = keys
    assert public.name == "my.key.pub"
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("name", ["my.key", "my.key.pub"])
def test_no_key_is_overwritten(keys, tmp_path, name):
    other = "my.key.pub" if name == "my.key" else "my.key"
    (tmp_path / other).unlink()
    before = (tmp_path / name).read_bytes()
    with pytest.raises(UsageError, match=rf"{name} is there already.*Name another file"):
        make_signing_key(tmp_path / "my.key")
    assert (tmp_path / name).read_bytes() == before
    assert not (tmp_path / other).exists()


def test_what_is_unsigned_changed_or_of_another_key_is_refused_each_in_its_words(
    keys, signed, tmp_path
):
    file, signature = signed
    other = make_signing_key(tmp_path / "other.key")
    with pytest.raises(DamagedError, match=r"was signed with another key: '[0-9a-f]{16}'"):
        verify_file(file, signature, other)
    content, said = file.read_bytes(), json.loads(signature.read_text())
    file.write_bytes(content + b" ")
    with pytest.raises(DamagedError, match=r"is not what the owner of .* signed: facts.json"):
        verify_file(file, signature, keys[1])
    file.write_bytes(content)
    # another's signature under this key's name
    sign_file(file, signature, tmp_path / "other.key")
    signature.write_text(json.dumps(json.loads(signature.read_text()) | {"key": said["key"]}))
    with pytest.raises(DamagedError, match=r"is not what the owner of .* signed"):
        verify_file(file, signature, keys[1])
    signature.unlink()
    with pytest.raises(DamagedError, match=r"is not signed: .*`echokit export RUN --sign KEY`"):
        verify_file(file, signature, keys[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signature": "!"}, "is not what the owner"),
        ({"signature": "é"}, "is not what the owner"),
        ({"signature": ""}, "is not what the owner"),
        ({"signature": 3}, "holds no Ed25519 signature"),
        ({"algorithm": "none"}, "holds no Ed25519 signature: its algorithm is 'none'"),
        ({"key": ["x"]}, "another key"),
    ],
)
def test_a_damaged_signature_is_refused(keys, signed, change, message):
    file, signature = signed
    signature.write_text(json.dumps(json.loads(signature.read_text()) | change))
    with pytest.raises(DamagedError, match=message):
        verify_file(file, signature, keys[1])
    signature.write_text("{")
    with pytest.raises(DamagedError, match="is damaged"):
        verify_file(file, signature, keys[1])


def pem(key, password=None):
    lock = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock)


def test_a_key_that_cannot_be_used_is_refused_with_what_to_type(keys, signed, tmp_path):
    file, signature = signed
    bad = tmp_path / "bad.key"

    def signing(content):
        bad.write_bytes(content)
        with pytest.raises(UsageError, match="`echokit export --new-key FILE`") as caught:
            sign_file(file, signature, bad)
        return str(caught.value)

    def verifying(content):
        bad.write_bytes(content)
        with pytest.raises(UsageError, match="`echokit export --new-key FILE`") as caught:
            verify_file(file, signature, bad)
        return str(caught.value)

    curve = ec.generate_private_key(ec.SECP256R1())
    assert "a public key, which cannot sign" in signing(keys[1].read_bytes())
    assert "behind a password" in signing(pem(read_private_key(keys[0]), b"secret"))
    assert "no private Ed25519 key" in signing(pem(curve))
    assert "no private Ed25519 key" in signing(b"-----BEGIN PRIVATE KEY-----\nAAAA\n")
    assert "no private Ed25519 key" in signing(b"")
    assert "a private key, which stays with its owner" in verifying(keys[0].read_bytes())
    shared = form.PublicFormat.SubjectPublicKeyInfo
    of_curve = curve.public_key().public_bytes(form.Encoding.PEM, shared)
    assert "no public Ed25519 key" in verifying(of_curve)
    assert "no public Ed25519 key" in verifying(b"\xff\x00")
    bad.unlink()
    with pytest.raises(UsageError, match=r"bad.key holds no key: there is no such file"):
        verify_file(file, signature, bad)


def test_without_cryptography_the_error_says_what_to_install(keys, signed, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (
        lambda: make_signing_key("x.key"),
        lambda: sign_file(*signed, keys[0]),
        lambda: verify_file(*signed, keys[1]),
    ):
        with pytest.raises(UsageError, match=r"pip install 'echokit-cardiac\[sign\]'"):
            call()


def test_cryptography_is_not_imported_until_it_is_needed():
    code = (
        "import sys, echokit.studies.load, echokit.system.signatures;"
        "print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
