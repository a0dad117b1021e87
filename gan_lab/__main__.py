"""``python -m gan_lab``."""

from gan_lab.cli import main

main()
