"""What an instructor runs: release lessons, grade submissions, return feedback."""

import sys

# nbformat loads jsonschema, which would spend a second on a parser of web addresses if that is installed.
# No notebook is checked for them, so to jsonschema it is not installed.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
