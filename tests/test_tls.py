"""Encrypted or on this machine: nothing in the package can switch the check of certificates off."""

from __future__ import annotations

import ast

import pytest

from couchvoice.addresses import require_safe_url
from couchvoice.errors import ConfigError
from couchvoice.settings import _ENVIRONMENT
from tests.test_layers import PACKAGE, files

FORBIDDEN_NAMES = {"CERT_NONE", "_create_unverified_context", "PROTOCOL_TLS", "InsecureRequestWarning"}
FORBIDDEN_WORDS = ("insecure", "verify", "unsafe", "no_tls")


@pytest.mark.row("C14")
@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_switches_verification_off(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            assert not (node.arg in ("verify", "check_hostname", "ssl") and value is False)
        elif isinstance(node, ast.Assign):
            names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
            assert not names & {"check_hostname", "verify_mode"}
        elif isinstance(node, ast.Attribute):
            assert node.attr not in FORBIDDEN_NAMES


@pytest.mark.row("C14")
def test_there_is_no_setting_for_it():
    assert not [name for name in _ENVIRONMENT if any(word in name for word in FORBIDDEN_WORDS)]


@pytest.mark.row("C14")
@pytest.mark.parametrize(
    "url", ["http://backend.example", "ws://backend.example", "http://192.0.2.1:8765", "http://localhost.example"]
)
def test_plain_text_is_for_this_machine(url):
    with pytest.raises(ConfigError):
        require_safe_url(url)
