"""Collect: what releases left behind goes where ledger, tags and age agree, and nothing else does."""
from tests.account import Account, RELEASE, TABLE
from viridian.aws import ledger
import pprint

def test_x(account: Account) -> None:
    account.before("shift_traffic")
    ledger.end(account.record().fence(), "RolledBack", "left")
    pprint.pprint(account.run("collect", dry_run=True))
    account.later(days=4)
    for _ in range(5):
        account.calls.clear()
        pprint.pprint(account.run("collect", dry_run=False))
        print(account.writes(), len(account.calls))
    assert 0
