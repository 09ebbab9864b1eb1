"""The records of the witnesses, in one format."""
