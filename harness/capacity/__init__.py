"""How much a scenario's gateway and CallManager can take on this machine: a search, and a page that sums it up."""
