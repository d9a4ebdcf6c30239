"""Ciphers for crypto contexts, by the names that the kernel gives them; `cryptography` from PyPI does the work."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from bpflab.errors import ArgumentError

BLOCK: Final = 16
KEY_SIZES: Final = frozenset({16, 24, 32})
IV_SIZES: Final = {"ecb(aes)": 0, "cbc(aes)": BLOCK}
"""Algorithms, and the bytes of their initialisation vector."""


@dataclass(frozen=True, slots=True)
class CryptoContext:
    """An algorithm with its key."""

    algorithm: str
    key: bytes

    @property
    def iv_size(self) -> int:
        """Bytes of the initialisation vector."""
        return IV_SIZES[self.algorithm]

    def crypt(self, data: bytes, iv: bytes, *, decrypt: bool) -> tuple[bytes, bytes]:
        """Return what whole blocks become, and the vector for what follows."""
        cipher = self._cipher(iv)
        work = cipher.decryptor() if decrypt else cipher.encryptor()
        result = work.update(data) + work.finalize()
        chained = (data if decrypt else result)[-BLOCK:]
        return result, chained if self.iv_size else b""

    def _cipher(self, iv: bytes) -> Any:  # noqa: ANN401 - of a package that need not be there
        try:
            ciphers = importlib.import_module("cryptography.hazmat.primitives.ciphers")
            modes = importlib.import_module("cryptography.hazmat.primitives.ciphers.modes")
        except ImportError:
            raise ArgumentError(
                "Crypto contexts need the package `cryptography`; install it: pip install 'bpflab[crypto]'."
            ) from None
        mode = modes.CBC(iv) if self.iv_size else modes.ECB()
        return ciphers.Cipher(ciphers.algorithms.AES(self.key), mode)
