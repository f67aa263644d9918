"""Keys and passwords are masked, JSON stays JSON, and hostile text costs no time."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.bodies.redaction import Redactor

OWN = [b"whsec-of-ours-123", b'quote"and/slash\\', "schlüssel-ü".encode(), b"3141592653", b"short", b""]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIBOgIBAAJBAK+/=\n-----END RSA PRIVATE KEY-----"
PROVIDER_KEYS = [
    "sk-abcdefghijklmnopqrstuvwxyz123456",
    "sk-proj-AbC_dEf-0123456789",
    "sk-ant-api03-AbCdEf_0123456789-xyz",
    "sk-or-v1-0123456789abcdef0123",
    "sk-helicone-eu-abc1234-def5678-abc1234-def5678",
    "pk-helicone-abc1234-def5678",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijABCDEFGHIJ0123456789abcdef",
    "github_pat_11ABCDEFG0abcdefghij_klmnop",
    "xoxb-123456789012-abcdefABCDEF",
    JWT,
    PEM,
]


def redacted(text: str) -> str:
    """What is left of `text` after it went through as a JSON string."""
    masked: str = json.loads(Redactor(OWN).redact(json.dumps({"content": text}).encode()))["content"]
    return masked


@pytest.mark.parametrize("key", PROVIDER_KEYS)
@pytest.mark.parametrize("before", ["", "key: ", "line\n", "tab\t", "é", '"', "'", "=", "(", "\\"])
def test_provider_keys_are_masked_wherever_they_stand(key: str, before: str) -> None:
    masked = redacted(f"{before}{key} after")
    assert masked.startswith(f"{before}[redacted")
    assert masked.endswith("] after")
    assert key not in masked


@pytest.mark.parametrize("key", PROVIDER_KEYS)
def test_keys_inside_json_inside_json_are_masked(key: str) -> None:
    masked = redacted(json.dumps({"arguments": key, "n": 1}))
    assert json.loads(masked)["n"] == 1
    assert json.loads(masked)["arguments"].startswith("[redacted")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ('{"Authorization": "Bearer abcd"}', '{"Authorization": "Bearer [redacted]"}'),
        ("use Bearer abcdef1234567890xyz now", "use Bearer [redacted] now"),
        ("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "BASIC [redacted]"),
        ("Bearer sk-abcdefghijkl0123456789", "Bearer [redacted sk-…]"),
        ("password=hunter2&user=x", "password=[redacted]&user=x"),
        ("PASSWORD = 'hunter2'", "PASSWORD = '[redacted]'"),
        ("{'db_password': 'hunter2'}", "{'db_password': '[redacted]'}"),
        (json.dumps({"passwd": 'h"un\\ter2', "a": 1}), '{"passwd": "[redacted]", "a": 1}'),
        ("secret whsec-of-ours-123.", "secret [redacted]."),
        ('<quote"and/slash\\>', "<[redacted]>"),
        ("schlüssel-ü", "[redacted]"),
    ],
)
def test_credentials_are_masked_and_what_surrounds_them_stays(text: str, masked: str) -> None:
    assert redacted(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "task-management-systems-integration and risk-assessment-framework",
        "sk-learn",
        "Basic Internationalization, Basic understanding of authentication",
        "a bearer of internationalization-standards",
        "password: please choose a new password",
        "ASIANDEVELOPMENTBANK",
        "eyJ is how a token begins.",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "short",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_the_value_of_a_password_key_is_masked() -> None:
    body = json.dumps({"password": 'p"w\\', "user": "x", "tokens": [1, 2]}).encode()
    assert json.loads(Redactor([]).redact(body)) == {"password": "[redacted]", "user": "x", "tokens": [1, 2]}


def test_an_own_secret_of_digits_leaves_numbers_numbers() -> None:
    assert Redactor(OWN).redact(b'{"a":31415926535,"b":"3141592653"}') == b'{"a":11111111115,"b":"1111111111"}'


def test_an_own_secret_is_found_in_every_json_spelling() -> None:
    secret = "schlüssel/ü"
    redactor = Redactor([secret.encode()])
    for spelled in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), json.dumps(secret).replace("/", "\\/")):
        assert redactor.redact(spelled.encode()) == b'"[redacted]"'


def test_escapes_are_never_cut_in_half() -> None:
    assert json.loads(Redactor([b"nsecret"]).redact(json.dumps("a\nsecret").encode())) == "a\nsecret"
    assert json.loads(Redactor([]).redact(json.dumps('-----BEGIN PRIVATE KEY-----\nab\n"x').encode())).endswith('"x')


def test_a_redactor_shows_no_secret() -> None:
    assert "whsec" not in repr(Redactor(OWN))


pieces = st.sampled_from(
    [
        *PROVIDER_KEYS,
        *(secret.decode() for secret in OWN),
        "password=",
        '"password": "',
        "Bearer ",
        "\\",
        '"',
        "\n",
        "u00e9",
    ]
)
texts = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)


@given(st.recursive(texts | st.integers() | st.booleans(), lambda inner: st.dictionaries(texts, inner), max_leaves=5))
def test_json_stays_json(value: object) -> None:
    redactor = Redactor(OWN)
    for ascii_only in (True, False):
        body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        once = redactor.redact(body)
        json.loads(once.decode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted(data: bytes) -> None:
    assert isinstance(Redactor(OWN).redact(data), bytes)


@pytest.mark.parametrize(
    "unit",
    [
        "sk-",
        "sk-a1-",
        "pk-",
        "eyJ",
        "eyJa-.",
        "eyJaaaaaa.",
        "AKIA",
        "ASIA",
        "AIza",
        "ghp_",
        "github_pat_",
        "xoxb-",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\\\",
        "-----BEGIN ",
        "Bearer a",
        "bearer aaaaaaaaaaaaaaaaa ",
        "basic aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "authorization: basic ",
        "authorization\\\\\\\\",
        "password=",
        "password = ",
        'password":"',
        'password\\": \\"',
        "passwd' : '",
        "\\",
        "3141592653",
    ],
)
def test_hostile_text_of_a_megabyte_takes_no_longer_than_other_text(unit: str) -> None:
    data = (unit * (1_000_000 // len(unit))).encode()
    redactor = Redactor(OWN)
    began = time.process_time()
    redactor.redact(data)
    assert time.process_time() - began < 10
