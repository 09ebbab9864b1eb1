"""The test bed: brings the parts up on a ground, watches the wire, judges, reports."""
