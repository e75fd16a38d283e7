from dhis2sh.client.retry import RetryRule, retry_after_seconds


def test_backoff_doubles_and_ends():
    rule = RetryRule(attempts=2, base=1.0, draw=lambda: 1.0)
    assert [rule.wait(n, None) for n in (1, 2, 3)] == [1.0, 2.0, None]


def test_the_server_decides_unless_it_asks_too_much():
    assert RetryRule().wait(1, "0") == 0.0
    assert RetryRule(longest=5).wait(1, "6") is None


def test_retry_after_is_a_number_or_a_date():
    assert retry_after_seconds("7") == 7.0
    assert retry_after_seconds("Thu, 01 Jan 1970 00:00:09 GMT", now=4.0) == 5.0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None
