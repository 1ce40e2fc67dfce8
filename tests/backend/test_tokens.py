"""Which bearer tokens are taken: forged, stale, foreign and ambiguous ones are not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from couchvoice.backend.refusals import Refused
from couchvoice.backend.signing_keys import COOLDOWN, LIFESPAN, MAX_AGE, KeySet, SharedKey
from couchvoice.backend.tokens import LEEWAY, MAX_TOKEN, JwtAuthentication
from couchvoice.errors import ConfigError
from couchvoice.private import Private

SECRET = "s3cret-CANARY-of-more-than-32-bytes"
AUDIENCE = "couchvoice"
ISSUER = "https://issuer.example"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KEYS_URL = "http://127.0.0.1:9998/keys"
HOUR = 3600  # seconds: the tokens below live as long as a slow run of all tests
MARGIN = 10  # seconds that a test may take between two looks at the clock


def claims(**changes: Any) -> dict[str, Any]:
    """A good set; a change to None takes the claim out."""
    now = int(time.time())
    whole = {"sub": "ada", "aud": AUDIENCE, "iss": ISSUER, "iat": now, "exp": now + HOUR} | changes
    return {name: value for name, value in whole.items() if value is not None}


def segment(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(head: Any, body: Any, *, key: str = SECRET) -> str:
    """Signed with HMAC, whatever head and body are."""
    signed = f"{segment(head)}.{segment(body)}"
    return f"{signed}.{segment(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def hs256(**changes: Any) -> str:
    return forged({"alg": "HS256", "typ": "JWT"}, claims(**changes))


async def judged(authentication: JwtAuthentication, token: str) -> str:
    """The subject, or the code of the refusal."""
    try:
        return await authentication.subject(token)
    except Refused as exc:
        refused = exc
    assert refused.status == (503 if refused.code == "keys_unavailable" else 401)
    assert "CANARY" not in str(refused)
    return refused.code


SHARED = JwtAuthentication(SharedKey(Private(SECRET)), audience=AUDIENCE, issuer=ISSUER)
HEAD = {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "token",
    [
        hs256(),
        hs256(aud=["other", AUDIENCE]),
        hs256(sub="Ada Lovelace, £"),
        forged(HEAD | {"kid": "../../dev/null"}, claims()),  # a shared key has no name
        forged(HEAD | {"jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}, claims()),
    ],
)
async def test_a_good_token_names_its_user(token: str) -> None:
    assert await judged(SHARED, token) in ("ada", "Ada Lovelace, £")


async def test_two_clocks_may_differ_a_little() -> None:
    now = time.time()
    assert await judged(SHARED, hs256(exp=now - LEEWAY + MARGIN)) == "ada"
    assert await judged(SHARED, hs256(nbf=now + LEEWAY - MARGIN)) == "ada"
    assert await judged(SHARED, hs256(nbf=now + LEEWAY + MARGIN)) == "token_invalid"
    assert await judged(SHARED, hs256(iat=now + LEEWAY + MARGIN)) == "token_invalid"


def duplicate(name: str, value: str) -> bytes:
    return (json.dumps(claims())[:-1] + f', "{name}": {value}}}').encode()


BAD = {
    "expired": hs256(exp=time.time() - LEEWAY),
    "no exp": hs256(exp=None),
    "no iat": hs256(iat=None),
    "no aud": hs256(aud=None),
    "no sub": hs256(sub=None),
    "no iss": hs256(iss=None),
    "another audience": hs256(aud="couchvoice2"),
    "audience in another case": hs256(aud="Couchvoice"),
    "no audience in the list": hs256(aud=[]),
    "audience that is a number": hs256(aud=1),
    "another issuer": hs256(iss="https://issuer.example.evil"),
    "issuer with a slash": hs256(iss=f"{ISSUER}/"),
    "list of issuers": hs256(iss=[ISSUER]),
    "not yet": hs256(nbf=time.time() + HOUR),
    "issued in the future": hs256(iat=time.time() + HOUR),
    "end as text": hs256(exp=str(int(time.time()) + 60)),
    "end that is true": hs256(exp=True),
    "end that is a list": hs256(exp=[time.time() + 60]),
    "end of all times": hs256(exp=1e300),
    "beginning as text": hs256(nbf="0"),
    "infinite end": forged(HEAD, json.dumps(claims()).replace('"exp": ', '"exp": 1e999, "x": ').encode()),
    "NaN": forged(HEAD, json.dumps(claims(x=float("nan"))).encode()),
    "subject that is a number": hs256(sub=1),
    "empty subject": hs256(sub=""),
    "blank subject": hs256(sub=" "),
    "subject with a line break": hs256(sub="ada\nadmin"),
    "subject with NUL": hs256(sub="ada\0"),
    "subject that is half a character": hs256(sub="\ud800"),
    "long subject": hs256(sub="a" * 201),
    "two subjects": forged(HEAD, duplicate("sub", '"bob"')),
    "two ends": forged(HEAD, duplicate("exp", "9999999999")),
    "two audiences": forged(HEAD, duplicate("aud", f'"{AUDIENCE}"')),
    "two algorithms": forged(b'{"alg": "none", "alg": "HS256"}', claims()),
    "no algorithm": f"{segment({'alg': 'none'})}.{segment(claims())}.",
    "No algorithm": f"{segment({'alg': 'NoNe'})}.{segment(claims())}.",
    "algorithm not named": forged({"typ": "JWT"}, claims()),
    "algorithm that is a list": forged({"alg": ["HS256"]}, claims()),
    "other HMAC": jwt.encode(claims(), SECRET + SECRET, algorithm="HS512"),
    "RSA": jwt.encode(claims(), RSA_KEY, algorithm="RS256"),
    "another secret": forged(HEAD, claims(), key="another-secret-of-more-than-32-bytes"),
    "no secret": forged(HEAD, claims(), key=""),
    "no signature": hs256().rpartition(".")[0] + ".",
    "cut signature": hs256()[:-2],
    "unknown extension": forged(HEAD | {"crit": ["exp"]}, claims()),
    "detached": forged(HEAD | {"b64": False, "crit": ["b64"]}, claims()),
    "huge": hs256(x="x" * MAX_TOKEN),
    "deep": forged(HEAD, b"[" * 5000),
    "long number": forged(HEAD, b'{"exp": ' + b"9" * 5000 + b"}"),
    "claims that are a list": forged(HEAD, [claims()]),
    "claims that are no JSON": forged(HEAD, b"\xff\xfe"),
    "head that is no JSON": forged(b"HS256", claims()),
    "encrypted": "a.b.c.d.e",
    "two parts": "a.b",
    "empty parts": "..",
    "padding": hs256() + "=",
    "another alphabet": hs256().replace("-", "+").replace("_", "/") + "+",
    "empty": "",
    "letters outside of ASCII": "é.é.é",
}


@pytest.mark.row("C4")
@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_refused(name: str) -> None:
    assert await judged(SHARED, BAD[name]) == ("token_expired" if name == "expired" else "token_invalid")


@given(
    st.text(max_size=60) | st.binary(max_size=60).map(lambda data: f"{segment(HEAD)}.{segment(data)}.{segment(data)}")
)
async def test_whatever_comes_as_a_token_is_refused_and_never_breaks(token: str) -> None:
    assert await judged(SHARED, token) == "token_invalid"


async def test_without_an_issuer_whoever_holds_the_key_may_issue() -> None:
    anybody = JwtAuthentication(SharedKey(Private(SECRET)), audience=AUDIENCE)
    assert await judged(anybody, hs256(iss=None)) == "ada"
    assert await judged(anybody, hs256(iss="https://another.example")) == "ada"


def test_a_weak_or_public_shared_key_is_refused_before_anything_is_served() -> None:
    with pytest.raises(ConfigError, match="needs 32 bytes"):
        SharedKey(Private("x" * 31))
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ConfigError, match="PEM"):
        SharedKey(Private(pem))


# Keys of an issuer


def public(key: Any, kid: str | None, **fields: Any) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
    entry = json.loads(type(algorithm).to_jwk(key.public_key()))  # type: ignore[attr-defined]
    return {name: value for name, value in (entry | {"kid": kid} | fields).items() if value is not None}


class Issuer:
    """Its key endpoint, in process, and a clock that a test sets."""

    def __init__(self, *keys: Any, algorithm: str = "RS256") -> None:
        self.document: Any = {"keys": list(keys)}
        self.answer: Response | None = None
        self.fetches = 0
        self.now = 1000.0
        app = Starlette(routes=[Route("/keys", self._keys)])
        self.keys = KeySet(
            KEYS_URL,
            algorithm=algorithm,
            http=httpx.AsyncClient(transport=httpx.ASGITransport(app)),
            clock=lambda: self.now,
        )
        self.authentication = JwtAuthentication(self.keys, audience=AUDIENCE, issuer=ISSUER)

    async def _keys(self, _: Request) -> Response:
        self.fetches += 1
        return self.answer or Response(json.dumps(self.document), media_type="application/json")

    async def judged(self, token: str) -> str:
        return await judged(self.authentication, token)


def signed(key: Any = RSA_KEY, kid: Any = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


@pytest.mark.row("C4")
@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_a_token_of_the_issuer_is_taken_and_its_keys_are_fetched_once(key: Any, algorithm: str) -> None:
    issuer = Issuer(public(key, "k1"), algorithm=algorithm)
    for _ in range(3):
        assert await issuer.judged(signed(key, algorithm=algorithm)) == "ada"
    assert issuer.fetches == 1
    assert await issuer.judged(signed(key, algorithm=algorithm, exp=1)) == "token_expired"


@pytest.mark.parametrize(
    "token",
    [
        signed(kid=None),
        signed(kid="../k1"),
        signed(kid="K1"),
        signed(OTHER_RSA_KEY),
        signed(EC_KEY, algorithm="ES256"),
        signed(EC_KEY, kid="ec", algorithm="ES256"),
        jwt.encode(claims(), RSA_KEY, algorithm="RS512", headers={"kid": "k1"}),
        jwt.encode(claims(), RSA_KEY, algorithm="PS256", headers={"kid": "k1"}),
        forged({"alg": "HS256", "kid": "k1"}, claims()),
        forged({"alg": "RS256", "kid": "k1"}, claims()),
        forged({"alg": "RS256", "kid": ["k1"]}, claims()),
        # The public key is known to all: it must not do as a secret.
        *(
            forged(
                {"alg": algorithm, "kid": "k1"},
                claims(),
                key=RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            )
            for algorithm in ("HS256", "RS256")
        ),
        jwt.encode(claims(), OTHER_RSA_KEY, algorithm="RS256", headers={"jwk": public(OTHER_RSA_KEY, "k1")}),
        jwt.encode(claims(), OTHER_RSA_KEY, algorithm="RS256", headers={"kid": "k1", "jku": KEYS_URL}),
    ],
)
async def test_a_token_that_another_key_could_have_made_is_refused(token: str) -> None:
    issuer = Issuer(public(RSA_KEY, "k1"), public(EC_KEY, "ec"))
    assert await issuer.judged(token) == "token_invalid"


WEAK = rsa.generate_private_key(65537, 1024)
PRIVATE = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY))


@pytest.mark.parametrize(
    "entry",
    [
        public(RSA_KEY, "k1", use="enc"),
        public(RSA_KEY, "k1", alg="RS512"),
        public(RSA_KEY, None),
        public(RSA_KEY, "k1", n="!"),
        public(RSA_KEY, "k1", n=None),
        {"kty": "oct", "kid": "k1", "k": segment(SECRET.encode())},
        {"kty": "oct", "kid": "k1", "k": segment(SECRET.encode()), "alg": "RS256"},
        PRIVATE | {"kid": "k1"},
        "k1",
        None,
        {},
    ],
)
async def test_a_key_that_does_not_fit_is_not_taken_and_spoils_no_other(entry: Any) -> None:
    issuer = Issuer(entry, public(RSA_KEY, "k2"))
    assert await issuer.judged(signed()) == "token_invalid"
    assert await issuer.judged(signed(kid="k2")) == "ada"


async def test_a_short_rsa_key_is_not_taken() -> None:
    issuer = Issuer(public(WEAK, "k1"))
    pem = WEAK.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = signed(pem)
    assert await issuer.judged(token) == "token_invalid"


async def test_the_first_of_two_keys_with_one_name_counts() -> None:
    issuer = Issuer(public(RSA_KEY, "k1"), public(OTHER_RSA_KEY, "k1"))
    assert await issuer.judged(signed()) == "ada"
    assert await issuer.judged(signed(OTHER_RSA_KEY)) == "token_invalid"


async def test_a_new_key_is_found_but_tokens_cannot_make_us_fetch_often() -> None:
    issuer = Issuer(public(RSA_KEY, "k1"))
    assert await issuer.judged(signed()) == "ada"
    issuer.document["keys"].append(public(OTHER_RSA_KEY, "k2"))
    for _ in range(5):
        assert await issuer.judged(signed(OTHER_RSA_KEY, kid="k2")) == "token_invalid"
    assert issuer.fetches == 1
    issuer.now += COOLDOWN
    assert await issuer.judged(signed(OTHER_RSA_KEY, kid="k2")) == "ada"
    assert issuer.fetches == 2


async def test_a_key_that_its_issuer_took_back_is_forgotten() -> None:
    issuer = Issuer(public(RSA_KEY, "k1"))
    assert await issuer.judged(signed()) == "ada"
    issuer.document = {"keys": []}
    issuer.now += LIFESPAN + 1
    assert await issuer.judged(signed()) == "token_invalid"


BROKEN = {
    "down": lambda: Response(status_code=503),
    "redirect": lambda: RedirectResponse("https://evil.example/keys"),
    "no JSON": lambda: Response("<html>"),
    "deep": lambda: Response("[" * 100_000),
    "no key set": lambda: Response("[]"),
    "endless": lambda: Response(json.dumps({"keys": [public(RSA_KEY, "k1")], "x": "x" * 300_000})),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_issuer_out_of_order_serves_on_with_its_old_keys_for_a_day(name: str) -> None:
    issuer = Issuer(public(RSA_KEY, "k1"))
    broken = BROKEN[name]()
    issuer.answer = broken
    assert await issuer.judged(signed()) == "keys_unavailable"
    issuer.answer = None
    issuer.now += COOLDOWN
    assert await issuer.judged(signed()) == "ada"
    issuer.answer = broken
    issuer.now += MAX_AGE - 1
    assert await issuer.judged(signed()) == "ada"
    issuer.now += COOLDOWN
    assert await issuer.judged(signed()) == "keys_unavailable"


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "ftp://issuer.example", "keys.json", "file:///etc/keys"])
def test_keys_come_encrypted_or_from_this_machine(url: str) -> None:
    with pytest.raises(ConfigError):
        KeySet(url)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "rs256", ""])
def test_an_algorithm_that_is_not_offered_is_refused(algorithm: str) -> None:
    with pytest.raises(ConfigError, match="choose RS256 or ES256"):
        KeySet(KEYS_URL, algorithm=algorithm)
