"""The tables that every service's database has: messages, sagas, leases, idempotency.

Not for a service's own resources. A service builds its metadata with `service_metadata()`, which holds copies
of these tables, so that one alembic history covers both. The queries live beside their users: `db.outbox`,
`bus.consumer`, `saga.store`, `lease`, `idempotency`, `quota`.

JSON documents are kept as text: they are written and read as a whole and never searched by path.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

common_metadata = MetaData()

# SQLite counts only INTEGER PRIMARY KEY up by itself; AUTOINCREMENT there means that the number of a deleted row
# never comes back: the relay empties this table, and `seq` is the order of an aggregate's events.
outbox = Table(
    "outbox",
    common_metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False),  # the message id
    Column("exchange", String(64), nullable=False),
    Column("routing_key", String(255), nullable=False),
    Column("lane", String(255), nullable=False),  # "<aggregate>/<aggregate id>": published in order of seq
    Column("occurred_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # the envelope without aggregate_seq, which is `seq`
    sqlite_autoincrement=True,
)

inbox = Table(
    "inbox",
    common_metadata,
    Column("message_id", String(36), primary_key=True),
    Column("queue", String(128), primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Index("ix_inbox_received_at", "received_at"),
)

# Messages whose handler failed as often as it may. An operator reads, mends and replays or deletes them.
dead_letters = Table(
    "dead_letters",
    common_metadata,
    Column("message_id", String(36), primary_key=True),
    Column("queue", String(128), primary_key=True),
    Column("routing_key", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("died_at", BigInteger, nullable=False),
)

# One row per saga. `next_at` is the only clock of a row: when it may be claimed. A claim moves it ahead by the
# lease; a retry by the back-off; a wait to its deadline; a signal brings it back; at the end it is NULL.
sagas = Table(
    "sagas",
    common_metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # saga.store.SagaState
    Column("step", Integer, nullable=False),  # to do, or while unwinding to undo, next
    Column("data", Text, nullable=False),
    Column("out", Text, nullable=False),
    Column("signals", Text, nullable=False),  # a JSON line each, appended, never rewritten
    Column("error", Text),
    Column("context", Text, nullable=False),  # correlation id, traceparent
    Column("attempts", Integer, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),  # of the current step
    Column("next_at", BigInteger),
    Column("owner", String(64)),
    Column("epoch", Integer, nullable=False),  # goes up with each claim: an older holder cannot write any more
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_sagas_next_at", "next_at"),
    Index("ix_sagas_state_updated_at", "state", "updated_at"),
)

leases = Table(
    "leases",
    common_metadata,
    Column("name", String(128), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

idempotency = Table(
    "idempotency",
    common_metadata,
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
)

quota_commissions_seen = Table(
    "quota_commissions_seen",
    common_metadata,
    Column("commission_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # accepted, rejected, fenced (asked for before it was either)
    Column("decided_at", BigInteger, nullable=False),
    Index("ix_quota_commissions_seen_decided_at", "decided_at"),
)


def service_metadata() -> MetaData:
    """Return a fresh MetaData with a copy of each common table, for a service to add its own to."""
    metadata = MetaData()
    for table in common_metadata.sorted_tables:
        table.to_metadata(metadata)
    return metadata
