"""``python -m tfmobile``."""

from tfmobile.cli import main

if __name__ == "__main__":
    main()
