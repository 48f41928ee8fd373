"""Tokens as text, and what is kept of them."""

import pytest

from controlplane.identity import tokens
from controlplane.identity.tokens import Presented

AUTHORITY = "ab" * 32


def test_a_token_reads_back() -> None:
    secret = tokens.new_secret()
    api = tokens.parse_api(tokens.api_token(tokens.id_for("one"), secret))
    join = tokens.parse_join(tokens.join_token(tokens.id_for("one"), secret, AUTHORITY))
    assert api == join == Presented(tokens.id_for("one"), secret)


def test_only_the_right_secret_matches_and_it_is_not_what_is_kept() -> None:
    secret = tokens.new_secret()
    kept = tokens.digest(secret)
    assert tokens.matches(Presented("1", secret), kept)
    assert not tokens.matches(Presented("1", tokens.new_secret()), kept)
    assert not tokens.matches(Presented("1", kept), kept)
    assert secret not in kept


def test_secrets_have_256_bits_and_differ() -> None:
    made = {tokens.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {64}


def test_a_secret_never_stands_in_a_representation() -> None:
    secret = tokens.new_secret()
    assert secret not in repr(Presented("1", secret))


@pytest.mark.parametrize("text", ["", "nhp_", "nhp_1_2", "Bearer x", "nhp_" + "0" * 16 + "_" + "G" * 64, "\0" * 90])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert tokens.parse_api(text) is None
    assert tokens.parse_join(text) is None


def test_one_kind_is_not_taken_for_the_other() -> None:
    secret = tokens.new_secret()
    assert tokens.parse_join(tokens.api_token("0" * 16, secret)) is None
    assert tokens.parse_api(tokens.join_token("0" * 16, secret, AUTHORITY)) is None
    assert tokens.parse_api(tokens.api_token("0" * 16, secret) + "\n") is None
