"""clusters tell their node groups; promises know theirs, and who refused the server"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('clusters', sa.Column('node_groups', sa.JSON(), nullable=False, server_default='[]'))
    op.add_column('reservations', sa.Column('node_group', sa.String(length=255), nullable=True))
    op.add_column('reservations', sa.Column('refused', sa.JSON(), nullable=False, server_default='[]'))
