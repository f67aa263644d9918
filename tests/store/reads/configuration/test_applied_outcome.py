from __future__ import annotations

from spendtop.domain.untrusted import Untrusted
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import CONFIG_NEWS, ConfigOutcome, config_outcome


def test_without_a_change_there_is_no_news(store: Store) -> None:
    with store.reading() as connection:
        assert config_outcome(connection) is None


def test_the_last_change_is_told(store: Store) -> None:
    with store.writing() as connection:
        facts.put(connection, CONFIG_NEWS, '{"at": 1, "ok": true, "text": "limits"}')
        facts.put(connection, CONFIG_NEWS, '{"at": 7, "ok": false, "text": "line 3\\u001b[2J"}')
    with store.reading() as connection:
        news = config_outcome(connection)
    assert news == ConfigOutcome(7, False, Untrusted("line 3\x1b[2J"))
    assert news is not None and str(news.text) == "line 3␛[2J"
