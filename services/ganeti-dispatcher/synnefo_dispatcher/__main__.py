"""`python -m synnefo_dispatcher`."""

from synnefo_common.service import cli
from synnefo_dispatcher.main import build
from synnefo_dispatcher.settings import Settings

main = cli("synnefo_dispatcher", build, Settings)

if __name__ == "__main__":
    main()
