"""Sign a file and verify its signature: Ed25519, with keys in PEM files.

The package `cryptography` computes; it is imported when something is signed or verified.
"""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from echokit.errors import DamagedError, UsageError
from echokit.system.checked import read_json
from echokit.system.files import whole_file, write_json, write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

ALGORITHM = "Ed25519"
PUBLIC = ".pub"
"""What the name of a public key's file ends with, beside that of its private key."""
DIGITS = 16
"""Of the digest that names a key."""
LARGEST_KEY = 10_000
"""Bytes of the largest file that is read as a key."""


def make_signing_key(path: str | PathLike[str]) -> Path:
    """Make a pair of keys: the private one to sign bundles with, the public one to verify them.

    Args:
        path: new file of the private key, which only its owner may read. The public key is put
            beside it, in a file whose name ends with `.pub`.

    Returns:
        The file of the public key, which everybody may have.

    Raises:
        UsageError: one of the files is there already, or `cryptography` is not installed.
    """
    _check_installed()
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Path(path)
    public = private.with_name(private.name + PUBLIC)
    for file in (private, public):
        if file.exists():
            raise UsageError(f"{file} is there already; a key is not replaced. Name another file.")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    with whole_file(private) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secret)
    shared = form.PublicFormat.SubjectPublicKeyInfo
    write_text(public, key.public_key().public_bytes(form.Encoding.PEM, shared).decode())
    return public


def sign_file(path: Path, signature: Path, key: str | PathLike[str]) -> None:
    """Sign the bytes of a file.

    Args:
        path: the file.
        signature: file that the signature is written to.
        key: PEM file of a private Ed25519 key.

    Raises:
        UsageError: the key cannot be used, or `cryptography` is not installed.
    """
    private = read_private_key(key)
    signed = base64.b64encode(private.sign(path.read_bytes())).decode()
    named = {"algorithm": ALGORITHM, "key": key_name(private.public_key()), "signature": signed}
    write_json(signature, named)


def verify_file(path: Path, signature: Path, key: str | PathLike[str]) -> None:
    """Check that a file was signed with a key and is still what it was.

    Args:
        path: the file.
        signature: file of its signature.
        key: PEM file of the public Ed25519 key.

    Raises:
        UsageError: the key cannot be used, or `cryptography` is not installed.
        DamagedError: the file is not signed, or by another key, or was changed since.
    """
    public = read_public_key(key)
    from cryptography.exceptions import InvalidSignature

    folder = path.parent
    if not signature.is_file():
        raise DamagedError(
            f"{folder} is not signed: {signature.name} is not there. Ask for a signed bundle, "
            "which `echokit export RUN --sign KEY` writes, or leave --verify out."
        )
    said = read_json(signature, "algorithm", "key", "signature")
    if said["algorithm"] != ALGORITHM or not isinstance(said["signature"], str):
        raise DamagedError(
            f"{signature} holds no {ALGORITHM} signature: its algorithm is "
            f"{said['algorithm']!r}. Copy the bundle again, whole, or have it signed again."
        )
    if said["key"] != key_name(public):
        raise DamagedError(
            f"{folder} was signed with another key: {said['key']!r}, where {key} is "
            f"{key_name(public)!r}. Do not use it unless you trust that key; then give its file."
        )
    try:
        public.verify(base64.b64decode(said["signature"], validate=True), path.read_bytes())
    except (InvalidSignature, ValueError):
        raise DamagedError(
            f"{folder} is not what the owner of {key} signed: {path.name} or its signature was "
            "changed. Do not use it; copy the bundle again from where it came from."
        ) from None


def key_name(key: Ed25519PublicKey) -> str:
    """Return what a key is told from others by: the first digits of its digest."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:DIGITS]


def read_private_key(path: str | PathLike[str]) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        UsageError: the file holds none, or one of another kind or behind a password; or
            `cryptography` is not installed.
    """
    content = _content(path)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"-----BEGIN PUBLIC KEY" in content:
        _refuse(path, "a public key, which cannot sign", "Give the private one")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        _refuse(path, "a key behind a password", "Make one without, as below")
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        _refuse(path, f"no private {ALGORITHM} key in PEM form", "Make one")
    return key


def read_public_key(path: str | PathLike[str]) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        UsageError: the file holds none, or one of another kind, or a private one; or
            `cryptography` is not installed.
    """
    content = _content(path)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in content:
        _refuse(path, "a private key, which stays with its owner", f"Give {path}{PUBLIC}")
    key: object = None
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(content)
    if not isinstance(key, Ed25519PublicKey):
        _refuse(path, f"no public {ALGORITHM} key in PEM form", "Give the signer's, or make a pair")
    return key


def _content(path: str | PathLike[str]) -> bytes:
    _check_installed()
    if not Path(path).is_file():
        _refuse(path, "no key: there is no such file", "Make one")
    with Path(path).open("rb") as file:
        return file.read(LARGEST_KEY)


def _refuse(path: str | PathLike[str], held: str, advice: str) -> NoReturn:
    raise UsageError(
        f"{path} holds {held}. {advice}: `echokit export --new-key FILE` makes a pair."
    )


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise UsageError(
            "Signing and verifying take cryptography: pip install 'echokit-cardiac[sign]'"
        )
