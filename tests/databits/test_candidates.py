import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databits.candidates import Request, choose_candidates
from databits.errors import Invalid
from databits.readers import text_sha

SHARE = st.none() | st.floats(0, 1)
REQUESTS = st.lists(
    st.builds(
        Request,
        request_id=st.integers(1, 10_000),
        text=st.sampled_from([f"request {i}" for i in range(40)]),
        predicted=st.sampled_from(["Bug", "Refund"]),
        confidence=SHARE,
        feedback=st.sampled_from([-1, 0, 1]),
        correction=st.none() | st.sampled_from(["Bug", "Refund"]),
        drift=SHARE,
    ),
    max_size=60,
    unique_by=lambda request: request.request_id,
)


def request(number: int, **known: object) -> Request:
    return replace(Request(number, f"request {number}", "Bug"), **known)  # type: ignore[arg-type]


def test_the_strongest_signal_comes_first_and_each_says_why() -> None:
    found = choose_candidates(
        [
            request(1, confidence=0.41),
            request(2, drift=0.9, confidence=0.99),
            request(3, feedback=-1),
            request(4, correction="Refund", feedback=-1),
        ],
        budget=10,
    )
    assert [(c.request_id, c.signal, c.reason) for c in found] == [
        (4, "correction", "A user corrected this answer from Bug to Refund."),
        (3, "thumbs_down", "A user gave a thumbs-down to this answer, Bug."),
        (2, "drift", "Requests like this are new since training; the model answered Bug."),
        (1, "low_confidence", "The model was only 41% sure of its answer, Bug."),
    ]


def test_within_a_signal_the_one_that_teaches_most_comes_first() -> None:
    sure, unsure = {"correction": "Refund", "confidence": 0.95}, {"correction": "Refund"}
    found = choose_candidates([request(1, **unsure), request(2, **sure)], budget=5)
    assert [c.request_id for c in found] == [2, 1]
    found = choose_candidates([request(1, confidence=0.6), request(2, confidence=0.2)], budget=5)
    assert [c.request_id for c in found] == [2, 1]


def test_answers_nobody_doubts_are_not_chosen() -> None:
    undoubted = [
        request(1, confidence=0.95),
        request(2),
        request(3, confidence=0.2, feedback=1),
        request(4, correction="Bug", confidence=0.9),
        request(5, drift=0.5),
    ]
    assert choose_candidates(undoubted, budget=5) == []


def test_a_text_is_chosen_once_and_not_if_it_has_a_label() -> None:
    requests = [
        request(1, text="It  crashes", confidence=0.1),
        request(2, text="it crashes", feedback=-1),
        request(3, text="Known", feedback=-1),
    ]
    found = choose_candidates(requests, budget=5, labelled={text_sha("known")})
    assert [c.request_id for c in found] == [2]


def test_one_signal_does_not_fill_the_budget_while_others_wait() -> None:
    corrected = [request(i, correction="Refund") for i in range(100)]
    drifted = [request(i, drift=0.9) for i in range(100, 200)]
    found = choose_candidates(corrected + drifted, budget=10)
    assert Counter(c.signal for c in found) == {"correction": 5, "drift": 5}
    found = choose_candidates(corrected + drifted[:2], budget=10)
    assert Counter(c.signal for c in found) == {"correction": 8, "drift": 2}


@given(REQUESTS, st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_choice_is_within_budget_ranked_and_the_same_in_any_order(
    requests: list[Request], budget: int, chance: random.Random
) -> None:
    labelled = {text_sha("request 1"), text_sha("request 2")}
    found = choose_candidates(requests, budget=budget, labelled=labelled)
    assert len(found) <= budget
    assert [c.priority for c in found] == sorted((c.priority for c in found), reverse=True)
    assert all(0 <= c.priority <= 1 and "request 1" not in c.reason for c in found)
    by_id = {r.request_id: r for r in requests}
    chosen = [text_sha(by_id[c.request_id].text) for c in found]
    assert len(set(chosen)) == len(chosen)
    assert not labelled & set(chosen)
    shuffled = chance.sample(requests, len(requests))
    assert choose_candidates(shuffled, budget=budget, labelled=labelled) == found


@given(REQUESTS)
def test_a_stronger_signal_always_has_the_higher_priority(requests: list[Request]) -> None:
    order = ["correction", "thumbs_down", "drift", "low_confidence"]
    found = choose_candidates(requests, budget=1000, largest_share=1)
    assert [order.index(c.signal) for c in found] == sorted(order.index(c.signal) for c in found)


def test_no_budget_is_refused() -> None:
    with pytest.raises(Invalid, match="1 or more"):
        choose_candidates([], budget=0)
