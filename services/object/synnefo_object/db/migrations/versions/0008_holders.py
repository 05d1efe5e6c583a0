"""longer names of holders of blocks: a pool's name is part of them"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("held_blocks", "held_indexed")
_SHORT, _LONG = sa.String(length=130), sa.String(length=200)


def upgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("holder", existing_type=_SHORT, type_=_LONG, existing_nullable=False)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(sa.text(f"DELETE FROM {table} WHERE length(holder) > 130"))  # an index: it is made anew
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("holder", existing_type=_LONG, type_=_SHORT, existing_nullable=False)
