"""`python -m synnefo_identity`: the command line of the service."""

from synnefo_common.service import cli
from synnefo_identity.main import build
from synnefo_identity.settings import Settings

main = cli("synnefo_identity", build, Settings)

if __name__ == "__main__":
    main()
