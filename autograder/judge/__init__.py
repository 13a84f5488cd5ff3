"""The trusted side: runs a lesson's tests against answers that come over the wire."""
