"""`python -m synnefo_object`."""

from synnefo_common.command import cli
from synnefo_object.main import build
from synnefo_object.settings import Settings

main = cli("synnefo_object", build, Settings)

if __name__ == "__main__":
    main()
