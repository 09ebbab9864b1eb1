-- Settings of the Administration Tool; secret values are encrypted (gateway/store/cipher.py).
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
