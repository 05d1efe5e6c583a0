"""servers can be locked"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('servers', sa.Column('locked_by', sa.String(length=8), nullable=True))
