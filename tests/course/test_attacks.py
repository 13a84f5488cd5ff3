"""The attack corpus against the grader: nothing gained, nothing leaked, nothing left, everyone graded."""

import pytest

from tests.attacks import corpus
from tests.attacks.field import Field

ATTACKS = corpus()


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    with Field(tmp_path_factory.mktemp("field")) as made:
        made.results = made.grade(ATTACKS)
        yield made


def test_the_corpus_has_no_two_attacks_of_one_name():
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) > 150


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_earns_what_its_answers_deserve(field, attack):
    want = {"dot": 0.0, "share": 0.0, **attack.points}
    assert field.results[attack.name].points == want


def test_every_attack_gets_a_verdict(field):
    faults = {name: result.faults for name, result in field.results.items() if result.faults}
    assert faults == {}


def test_no_canary_and_no_hidden_input_comes_out(field):
    leaks = {name: result.leaks for name, result in field.results.items() if result.leaks}
    assert leaks == {}


def test_nothing_is_left_behind_and_nothing_is_changed(field):
    assert field.left_behind() == []
