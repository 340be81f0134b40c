"""What must not leave the machine is recognised, and ordinary code is not."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.llm.secrets import find_secret

DRAWN = "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY9"
HEX = "9f86d081884c7d659a2feaa0c55ad015"

SECRETS = {
    "private key": "KEY = '''-----BEGIN RSA PRIVATE KEY-----\nMIIE\n'''",
    "private key, new format": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "private key, no algorithm": "-----BEGIN PRIVATE KEY-----",
    "private key, PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "GitHub": "token = 'ghp_" + "a1B2" * 9 + "'",
    "GitHub, fine-grained": "github_pat_" + "a1B2" * 20,
    "AWS id": "client('AKIAIOSFODNN7EXAMPLE')",
    "AWS secret": f'AWS_SECRET_ACCESS_KEY = "{DRAWN}"',
    "AWS secret in a call": f'boto3.client("s3", aws_secret_access_key="{DRAWN}")',
    "Anthropic": "sk-ant-api03-" + "a1B2" * 10,
    "OpenAI": "sk-proj-" + "a1B2" * 10,
    "Google": "AIza" + "a1B2c" * 7,
    "Slack": "xoxb-123456789012-abcdefghij",
    "Stripe": "sk_live_" + "a1B2" * 6,
    "GitLab": "glpat-" + "a1B2" * 5,
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" * 5,
    "Hugging Face": "hf_" + "aBcDeFgHiJ" * 3 + "kLmN",
    "Azure": "AccountKey=" + "a1B2" * 12 + "==",
    "web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc123def456",
    "header": "headers = {'Authorization': 'Bearer a1b2c3d4e5f6a7b8c9d0e1f2'}",
    "database": "connect('postgres://admin:hunter22@db.internal/prod')",
    "database without a user": "redis://:hunter2hunter2@cache:6379",
    "password, Python": "password = 'tr0ub4dor&3xyz'",
    "password, annotated": "db_password: str = 'tr0ub4dor&3xyz'",
    "password, JSON": '{"password": "tr0ub4dor&3xyz"}',
    "password, Java": 'private static final String PASSWORD = "tr0ub4dor&3xyz";',
    "password, C++": 'const char* password = "tr0ub4dor&3xyz";',
    "password, C++ array": 'static const char password[] = "tr0ub4dor&3xyz";',
    "password, Go": 'dbPassword := "tr0ub4dor&3xyz"',
    "password, Go raw": "password := `tr0ub4dor&3xyz`",
    "password, Rust": 'const API_KEY: &str = "a8f5f167f44f4964e6c998dee827110c";',
    "setter": f'client.setToken("{HEX}");',
    "map": f'conf["token"] = "{HEX}"',
    "hex token": f"TOKEN = '{HEX}'",
    "byte string": f"SIGNING_KEY = b'{HEX}'",
    "no name": f"x = '{DRAWN}'",
    "no name, padded": "x = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRW='",
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_found(name: str) -> None:
    kind = find_secret(f"def f(items):\n    {SECRETS[name]}\n    return items\n")
    assert kind
    assert DRAWN not in kind
    assert HEX not in kind


PLAIN = (
    "token = tokens[0]",
    "token = 'identifier'",
    "token_type = 'string_literal_with_escapes'",
    "if token == 'end-of-line-marker':",
    "password = getpass.getpass('Password for the database: ')",
    "password = os.environ['DATABASE_PASSWORD']",
    "password = ''",
    "secret = input('secret')",
    "key = 'user-profile/settings'",
    "ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'",
    "ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'",
    "DIGITS = '0123456789abcdef0123456789abcdef'",
    "EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'  # SHA-256 of nothing",
    "assert digest == 'd41d8cd98f00b204e9800998ecf8427e'",
    "path = '/usr/share/java/org/springframework/Spring-Core-5.3.jar'",
    "name = 'test_that_this_very_long_name_of_a_test_is_no_secret'",
    "url = 'https://example.com:8080/path@version'",
    "url = f'https://{user}:{password}@{host}/'",
    "primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]",
    "uuid = '123e4567-e89b-12d3-a456-426614174000'",
    "x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
    "sequence = 'GATTACAGATTACAGATTACAGATTACAGATTACA'",
    'const TokenKind kind = TokenKind::EndOfFile; // "EndOfFileMarkerOfTheLexer"',
    'tokenizer = load("bert-base-uncased")',
    'raise ValueError("the password must have at least twelve characters")',
    "# bearer authentication is explained in the manual of the service",
)


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_code_is_none(text: str) -> None:
    assert find_secret(f"def f(items):\n    {text}\n    return items\n") is None


def test_the_sample_and_our_own_code_hold_none() -> None:
    root = Path(__file__).parents[2]
    for folder in ("examples", "bot/perforch"):
        for path in (root / folder).rglob("*"):
            if path.suffix in {".py", ".java", ".cpp", ".hpp", ".go", ".rs"} and path.name != "secrets.py":
                assert find_secret(path.read_text()) is None, path


@given(st.integers(0, 2**32), st.integers(40, 64))
def test_a_drawn_key_is_found_whatever_it_is(seed: int, length: int) -> None:
    letters = string.ascii_letters + string.digits
    key = "".join(random.Random(seed).choices(letters, k=length))
    assert find_secret(f'x = "a1B{key}"')


@given(st.text())
def test_any_text_is_fine(text: str) -> None:
    find_secret(text)


def test_long_texts_take_no_time_that_grows_faster_than_they_do() -> None:
    """Nothing here backtracks: what a pull request holds must not stop the run."""
    import time

    def seconds(count: int) -> float:
        worst = (
            "token" * count,
            "'" * count,
            "password: " + " " * count,
            "a" * count + "://",
            'secret["' * count,
        )
        began = time.process_time()
        for text in worst:
            find_secret(text)
        return time.process_time() - began

    assert seconds(40_000) < 40 * max(seconds(10_000), 0.01)
