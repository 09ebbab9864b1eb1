-- Phones, zones, distribution lists, and where phones are found (gateway/inventory).
CREATE TABLE zone (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE phone (
    device_name TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    description TEXT NOT NULL,
    source TEXT NOT NULL,
    listed INTEGER NOT NULL,
    zone TEXT REFERENCES zone(name) ON UPDATE CASCADE ON DELETE SET NULL,
    outcome TEXT,
    directory_number TEXT NOT NULL,
    mac TEXT NOT NULL,
    model TEXT NOT NULL,
    authentication_url TEXT,
    detail TEXT,
    answer_ms REAL,
    seen_s REAL
) STRICT;
CREATE TABLE distribution_list (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE distribution_list_member (
    list TEXT NOT NULL REFERENCES distribution_list(name) ON UPDATE CASCADE ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('phone', 'zone')),
    name TEXT NOT NULL,
    PRIMARY KEY (list, kind, name)
) STRICT;
CREATE TABLE inventory_source (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    settings TEXT NOT NULL,
    secret TEXT,
    every_minutes INTEGER,
    last_s REAL,
    last_result TEXT
) STRICT;
