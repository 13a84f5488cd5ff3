"""What of a learner's outputs stands in the autograded notebook."""

from autograder.grading.autograded import harmless


def test_a_picture_has_its_words_as_alt_text() -> None:
    data = {"image/png": "AAAA", "text/plain": "A curve that falls."}
    found = harmless({"output_type": "display_data", "data": data, "metadata": {"image/png": {"alt": 3}}})
    assert found is not None
    assert found["data"] == data
    assert found["metadata"] == {"image/png": {"alt": "A curve that falls."}}


def test_a_picture_without_words_has_none() -> None:
    found = harmless({"output_type": "display_data", "data": {"image/png": "AAAA"}})
    assert found is not None
    assert found["metadata"] == {}
