"""Whether a lab of real phones is ready for a rollout: `pushlab preflight`.

Theory of operation: `checks` holds every check as data, with what a failure means and what to do about it. `survey`
goes
through the lab: `reading` asks each phone for its pages, `servers`, `certificate` and `push_user` ask the servers.
What comes
back is turned into results by cores without I/O (`pages`, `phone_checks`, the `judge` functions), and `outcome` makes
of them go, no-go
or inconclusive, and the list of what to do. A check that was not done is `not-checked` with the reason, never `ok`.
"""
