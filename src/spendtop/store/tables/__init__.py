"""The store's tables. Amounts are integer nano-USD, instants UTC microseconds; NULL is unknown, never zero.

PostgreSQL's partial indexes have the same conditions as SQLite's, which alone are named: to name both would load both
dialects everywhere. Migrations make them.
"""

from spendtop.store.tables.agents import AgentFileTable, AgentRootTable, AgentSpoolTable
from spendtop.store.tables.alerts import (
    AlertActionTable,
    AlertTable,
    AlertTransitionTable,
    DeliveryAlertTable,
    DeliveryAttemptTable,
    DeliveryTable,
    HeldAnnouncementTable,
    SilenceTable,
)
from spendtop.store.tables.ledger import (
    BalanceReadingTable,
    BilledNameTable,
    DayCostPartTable,
    DayCostRevisionTable,
    DayCostTable,
    DayCostUserTable,
    DayUsedTable,
    LedgerEventTable,
)
from spendtop.store.tables.limits import LimitRaiseTable
from spendtop.store.tables.operations import (
    AppliedTable,
    CheckpointTable,
    GapTable,
    LeaseTable,
    MetaTable,
    QuarantineTable,
    RemarkTable,
    TaskTable,
    TokenTable,
)
from spendtop.store.tables.provider_limits import ProviderLimitTable
from spendtop.store.tables.usage import (
    BodyTable,
    DayTotalTable,
    DictionaryTable,
    LimitMarkTable,
    RepriceChangeTable,
    RepriceTable,
    RequestKeyTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

__all__ = [
    "AgentFileTable",
    "AgentRootTable",
    "AgentSpoolTable",
    "AlertActionTable",
    "AlertTable",
    "AlertTransitionTable",
    "AppliedTable",
    "BalanceReadingTable",
    "BilledNameTable",
    "BodyTable",
    "CheckpointTable",
    "DayCostPartTable",
    "DayCostRevisionTable",
    "DayCostTable",
    "DayCostUserTable",
    "DayTotalTable",
    "DayUsedTable",
    "DeliveryAlertTable",
    "DeliveryAttemptTable",
    "DeliveryTable",
    "DictionaryTable",
    "GapTable",
    "HeldAnnouncementTable",
    "LeaseTable",
    "LedgerEventTable",
    "LimitMarkTable",
    "LimitRaiseTable",
    "MetaTable",
    "ProviderLimitTable",
    "QuarantineTable",
    "RemarkTable",
    "RepriceChangeTable",
    "RepriceTable",
    "RequestKeyTable",
    "RequestTable",
    "RevisionTable",
    "SilenceTable",
    "TaskTable",
    "TokenTable",
    "TotalTable",
]
