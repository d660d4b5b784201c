"""Secrets of others that we keep: sealed with AES-256-GCM under a key of the service's secret, which has an id.

A sealed text is `id.nonce-and-ciphertext`. A new key is put first in `sealingKeys`: what is sealed from then on names
it, and what was sealed before is opened with the key that it names, until nothing names that key any more.
"""

import base64
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from coachline.problems import Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12  # of AES-GCM; random, so a key is good for four billion texts (NIST SP 800-38D, 8.3)


class Unsealable(Problem):
    """500: sealed with a key that is gone, for another purpose, or changed since."""

    code = "unsealable"
    default_detail = "Something that we keep cannot be read; operators have been told."


def seal(text: str, purpose: str, keys: Mapping[str, bytes]) -> str:
    """Seal with the first of `keys`. It opens for the same `purpose` only: no row's text serves in another row."""
    key_id, key = next(iter(keys.items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _aead(key).encrypt(nonce, text.encode(), _bound(key_id, purpose))
    return f"{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, purpose: str, keys: Mapping[str, bytes]) -> str:
    """The text that was sealed for `purpose`; Unsealable when it was not, or not by a key that is known."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as in _aead

    key_id, _, encoded = sealed.partition(".")
    try:
        raw = base64.urlsafe_b64decode(encoded)
        return str(
            _aead(keys[key_id]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(key_id, purpose)), "utf-8"
        )
    except (KeyError, ValueError, InvalidTag):
        raise Unsealable from None


def _bound(key_id: str, purpose: str) -> bytes:
    return f"{key_id}\n{purpose}".encode()


def _aead(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most functions never come here

    return AESGCM(key)
