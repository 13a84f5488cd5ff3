"""A submission comes in: bytes off the disk, cells out of a file, a notebook rebuilt from the source."""
