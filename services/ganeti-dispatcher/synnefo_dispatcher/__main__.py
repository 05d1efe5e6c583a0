"""`python -m synnefo_dispatcher`."""

from synnefo_common.command import cli
from synnefo_common.service import Service
from synnefo_dispatcher.app import clusters
from synnefo_dispatcher.main import build
from synnefo_dispatcher.settings import Settings


async def _encrypt_anew(service: Service) -> str:
    count = await clusters.renew_passwords(service.app.state.services)
    return f"dispatcher: the passwords of {count} clusters are encrypted with the first key"


main = cli(
    "synnefo_dispatcher", build, Settings, {"encrypt-anew": ("encrypt the stored RAPI passwords with the first key of the settings", _encrypt_anew)}
)

if __name__ == "__main__":
    main()
