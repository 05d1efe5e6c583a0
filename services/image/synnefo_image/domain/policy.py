"""Policy defaults of the image service, by Glance's names. Visibility (404) is decided before these are asked."""

from __future__ import annotations

from synnefo_common.policy import RuleDefault

_MEMBER = "rule:admin or (role:member and project_id:%(project_id)s)"
_SEES = (
    "project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s"
    " or 'shared':%(visibility)s"
)
_ID = "/v2/images/{image_id}"

POLICIES = [
    RuleDefault(
        "add_image", "rule:admin or (role:member and project_id:%(owner)s)", "Create an image", [("POST", "/v2/images")]
    ),
    RuleDefault("delete_image", _MEMBER, "Delete an image", [("DELETE", _ID)]),
    RuleDefault("get_image", f"rule:admin or (role:reader and ({_SEES}))", "Show an image", [("GET", _ID)]),
    RuleDefault("get_images", "rule:admin or role:reader", "List images", [("GET", "/v2/images")]),
    RuleDefault(
        "modify_image", _MEMBER, "Change an image and its tags", [("PATCH", _ID), ("PUT", _ID + "/tags/{tag}")]
    ),
    RuleDefault("publicize_image", "rule:admin", "Make an image public", [("POST", "/v2/images"), ("PATCH", _ID)]),
    RuleDefault(
        "communitize_image", _MEMBER, "Give an image to the community", [("POST", "/v2/images"), ("PATCH", _ID)]
    ),
    RuleDefault("change_owner", "rule:admin", "Give an image to another project", [("PATCH", _ID)]),
    RuleDefault(
        "download_image", f"rule:admin or (role:member and ({_SEES}))", "Download image data", [("GET", _ID + "/file")]
    ),
    RuleDefault("download_deactivated_image", "rule:admin", "Download a deactivated image", [("GET", _ID + "/file")]),
    RuleDefault("upload_image", _MEMBER, "Upload image data", [("PUT", _ID + "/file")]),
    RuleDefault("deactivate", _MEMBER, "Deactivate an image", [("POST", _ID + "/actions/deactivate")]),
    RuleDefault("reactivate", _MEMBER, "Reactivate an image", [("POST", _ID + "/actions/reactivate")]),
    RuleDefault("add_member", _MEMBER, "Share an image", [("POST", _ID + "/members")]),
    RuleDefault("delete_member", _MEMBER, "Stop sharing an image", [("DELETE", _ID + "/members/{member_id}")]),
    RuleDefault(
        "get_members",
        "rule:admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))",
        "See with whom an image is shared",
        [("GET", _ID + "/members"), ("GET", _ID + "/members/{member_id}")],
    ),
    RuleDefault(
        "modify_member",
        "rule:admin or (role:member and project_id:%(member_id)s)",
        "Accept or reject a shared image",
        [("PUT", _ID + "/members/{member_id}")],
    ),
]
