"""external policies"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # External networks have a policy that says so. Its id is the network's with another last part, so that repeating finds it.
    op.execute(
        "INSERT INTO rbac_policies (id, project_id, description, tags, revision, created_at, updated_at,"
        " object_type, object_id, action, target_project)"
        " SELECT substr(id, 1, 24) || 'eeeeeeeeeeee', project_id, '', '', 0, created_at, created_at, 'network', id, 'access_as_external', '*'"
        " FROM networks WHERE is_external"
    )


def downgrade() -> None:
    op.execute("DELETE FROM rbac_policies WHERE action = 'access_as_external'")
