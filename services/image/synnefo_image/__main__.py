"""`python -m synnefo_image`."""

from synnefo_common.command import cli
from synnefo_image.main import build
from synnefo_image.settings import Settings

main = cli("synnefo_image", build, Settings)

if __name__ == "__main__":
    main()
