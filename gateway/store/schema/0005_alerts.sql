-- Alerts and what became of them at each phone (gateway/alerts).
CREATE TABLE alert (
    number INTEGER PRIMARY KEY,
    created_s REAL NOT NULL,
    request TEXT NOT NULL,
    idempotency_key TEXT,
    ended_s REAL,
    ending TEXT CHECK (ending IN ('expired', 'withdrawn')),
    counts TEXT NOT NULL
) STRICT;
CREATE TABLE alert_phone (
    alert INTEGER NOT NULL REFERENCES alert(number) ON DELETE CASCADE,
    device_name TEXT NOT NULL,
    address TEXT NOT NULL,
    token TEXT NOT NULL,
    directory_number TEXT NOT NULL,
    left_out TEXT,
    outcome TEXT,
    detail TEXT,
    pushed_s REAL,
    displayed_s REAL,
    acknowledged_s REAL,
    response TEXT,
    PRIMARY KEY (alert, device_name)
) STRICT, WITHOUT ROWID;
