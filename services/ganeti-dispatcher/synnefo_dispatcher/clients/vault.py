"""Encrypts the clusters' passwords for the database. The key is a setting, or derived from the service's password."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from synnefo_common.settings import SettingsError


class VaultError(Exception):
    """There is no key, or the text was encrypted with another one."""


class Vault:
    """Fernet under one or several keys."""

    def __init__(self, secret_key: str, *, service_password: str, service_password_old: str = "") -> None:
        """Raises SettingsError for a key that is none."""
        texts = [key.strip() for key in secret_key.split(",") if key.strip()]
        # Beside keys that are set the derived one still reads what was stored before there were any.
        texts += [_derived(password) for password in (service_password, service_password_old) if password]
        try:
            keys = [Fernet(text) for text in texts]
            self._first: Fernet | None = keys[0] if keys else None
            self._fernet: MultiFernet | None = MultiFernet(keys) if keys else None
        except ValueError as error:
            raise SettingsError(f"setting dispatcher.secret_key: {error}") from error

    def encrypt(self, text: str) -> str:
        """Raises VaultError without a key."""
        if self._fernet is None:
            raise VaultError("neither dispatcher.secret_key nor dispatcher.service_password is set")
        return self._fernet.encrypt(text.encode()).decode()

    def renew(self, token: str) -> str | None:
        """The same under the first key; None if that is its key already. Raises VaultError."""
        text = self.decrypt(token)
        try:
            if self._first is not None:
                self._first.decrypt(token.encode())
        except InvalidToken:
            return self.encrypt(text)
        return None

    def decrypt(self, token: str) -> str:
        """Raises VaultError."""
        if self._fernet is None:
            raise VaultError("neither dispatcher.secret_key nor dispatcher.service_password is set")
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise VaultError("the password was stored under another key: register it anew") from error


def _derived(password: str) -> str:
    derived = HKDF(SHA256(), 32, salt=None, info=b"synnefo dispatcher cluster passwords")
    return base64.urlsafe_b64encode(derived.derive(password.encode())).decode()
