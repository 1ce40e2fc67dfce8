"""The certificate with which a server of ours is encrypted.

Law: what cannot be read, or does not belong together, is said before the server listens; nobody is asked for a
passphrase.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from couchvoice.errors import ConfigError


def server_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """None: neither was named. Raises ConfigError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("--certificate and --key need each other: the chain and its private key, in PEM")
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as exc:
            raise ConfigError(f"cannot read {file}: {exc.strerror}") from exc
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty passphrase: else OpenSSL asks for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        reason = getattr(exc, "reason", None) or exc
        raise ConfigError(
            f"{certificate} and {key} are no certificate with its key ({reason}): "
            "give PEM files that belong together, the key without a passphrase"
        ) from exc
    return context
