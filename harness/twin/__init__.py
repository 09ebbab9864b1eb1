"""A site's twin beside a pilot group of its real phones: the same scenario on both, one report."""
