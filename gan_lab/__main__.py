"""``python -m gan_lab``."""

from gan_lab.cli import main

if __name__ == "__main__":  # the worker processes of a sweep import this module under another name
    main()
