"""What the pytest plugin's fixtures give: phones and a CallManager as processes, runs of the bed, and their results.

Nothing here needs an event loop: everything is a process of its own, so that tests with or without one can use it.
"""
