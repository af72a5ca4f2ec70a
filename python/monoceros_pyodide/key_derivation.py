"""``hashlib.pbkdf2_hmac`` and ``hashlib.scrypt``, which Pyodide does not have.

CPython has them from OpenSSL. Django and Werkzeug store passwords with them, so that without them
nobody could log in."""

from __future__ import annotations

import hashlib
from operator import index
from typing import Any, Callable, Optional

#: OpenSSL's numbers are C ints.
_INT_MAX = 2**31 - 1
#: OpenSSL's default limit of memory, in bytes.
_SCRYPT_MEMORY = 32 * 1024 * 1024


def install(host_pbkdf2: Callable[..., Any], host_scrypt: Callable[..., Any]) -> None:
    """Puts the two into the module ``hashlib``.

    ``host_pbkdf2(hash, password, salt, iterations, length)`` and ``host_scrypt(password, salt, n,
    r, p, memory, length)`` are Node's, in src/runtimes/pyodide/system/key-derivation.ts. They
    return None if they cannot derive the key."""
    from pyodide.ffi import to_js

    def pbkdf2_hmac(
        hash_name: str, password: Any, salt: Any, iterations: int, dklen: Optional[int] = None
    ) -> bytes:
        """Password based key derivation function 2 (PKCS #5 v2.0) with HMAC as pseudorandom
        function.
        """
        if not isinstance(hash_name, str):
            raise TypeError(
                f"pbkdf2_hmac() argument 'hash_name' must be str, not {type(hash_name).__name__}"
            )
        password, salt = bytes(memoryview(password)), bytes(memoryview(salt))
        iterations = index(iterations)
        _check("iteration value", iterations)
        if dklen is None:
            dklen = hashlib.new(hash_name).digest_size
        dklen = index(dklen)
        _check("key length", dklen)
        key = host_pbkdf2(hash_name.lower(), to_js(password), to_js(salt), iterations, dklen)
        if key is None:
            raise ValueError(f"unsupported hash type {hash_name}")
        return key.to_bytes()

    def scrypt(
        password: Any, *, salt: Any, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64
    ) -> bytes:
        """scrypt password-based key derivation function."""
        password, salt = bytes(memoryview(password)), bytes(memoryview(salt))
        n, r, p, maxmem, dklen = (index(value) for value in (n, r, p, maxmem, dklen))
        if n < 2 or n & (n - 1):
            raise ValueError("n must be a power of 2.")
        if not 0 <= maxmem <= _INT_MAX:
            raise ValueError(f"maxmem must be positive and smaller than {_INT_MAX}")
        if not 1 <= dklen <= _INT_MAX:
            raise ValueError(f"dklen must be greater than 0 and smaller than {_INT_MAX}")
        fits = n < 2**32 and 0 < r < 2**30 and 0 < p < 2**30
        memory = maxmem or _SCRYPT_MEMORY
        key = host_scrypt(to_js(password), to_js(salt), n, r, p, memory, dklen) if fits else None
        if key is None:
            raise ValueError("Invalid parameter combination for n, r, p, maxmem.")
        return key.to_bytes()

    for function in (pbkdf2_hmac, scrypt):
        function.__module__ = "hashlib"
        function.__qualname__ = function.__name__
        setattr(hashlib, function.__name__, function)
        hashlib.__all__ += (function.__name__,)  # type: ignore[attr-defined]


def _check(what: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{what} must be greater than 0.")
    if value > _INT_MAX:
        raise OverflowError(f"{what} is too great.")
