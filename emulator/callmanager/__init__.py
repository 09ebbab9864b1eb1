"""CallManager's authentication service, its users, and its capacity."""
