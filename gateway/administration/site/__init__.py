"""The pages of the Administration Tool: handlers that render templates or go on to another page."""
