-- People, programs and what they did. Passwords are Argon2id hashes; sessions and tokens are kept as digests.
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    changed_s INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
    digest BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    address TEXT NOT NULL,
    began_s INTEGER NOT NULL,
    seen_s INTEGER NOT NULL
) STRICT;
-- Addresses from which an account has logged in: guesses from elsewhere do not slow these down.
CREATE TABLE known_address (
    account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    address TEXT NOT NULL,
    seen_s INTEGER NOT NULL,
    PRIMARY KEY (account, address)
) STRICT;
CREATE TABLE api_token (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    expires_s INTEGER
) STRICT;
-- At most one: opens the page that makes the first administrator.
CREATE TABLE set_up_token (
    digest BLOB PRIMARY KEY,
    expires_s INTEGER NOT NULL
) STRICT;
-- Who did what, from where. Each entry's code covers the one before it (gateway/audit/chain.py).
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at_s REAL NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    code BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_action ON audit (action, number);
-- The last entry's number, sealed: entries cut off at the end are missed.
CREATE TABLE audit_end (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    seal BLOB NOT NULL
) STRICT;
