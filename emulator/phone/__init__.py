"""One phone without I/O: reads a push, decides, asks, executes, answers."""
