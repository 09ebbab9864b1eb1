"""Directory servers of the bed: OpenLDAP's slapd and a Samba Active Directory domain controller.

`software` says what has to be installed, `slapd` and `samba` make one server each, `server` is the process that runs
one of them like every other part of a run, `placing` brings it into a run.
"""
