-- Pages and what became of their phones: the journal of running pages, the history of ended ones (gateway/paging/journal.py).
CREATE TABLE page (
    number INTEGER PRIMARY KEY,
    requested_s REAL NOT NULL,  -- seconds since 1970
    requested_by TEXT,
    audio TEXT NOT NULL,
    phones INTEGER NOT NULL,
    priority TEXT NOT NULL,
    delivery TEXT NOT NULL,
    wish TEXT NOT NULL,  -- the request, JSON
    idempotency_key TEXT,
    state TEXT NOT NULL,  -- waiting (for its turn), running, recovering (its phones are being stopped after a crash), ended
    reason TEXT,
    note TEXT,
    outcomes TEXT,  -- outcome to count, JSON
    ended_s REAL
) STRICT;
CREATE INDEX page_unfinished ON page (state) WHERE state <> 'ended';
CREATE TABLE page_phone (
    page INTEGER NOT NULL REFERENCES page (number) ON DELETE CASCADE,
    phone TEXT NOT NULL,
    address TEXT NOT NULL,
    outcome TEXT,  -- none yet: it may have been pushed to
    detail TEXT,
    stop TEXT,  -- outcome of the last stop push
    PRIMARY KEY (page, phone)
) STRICT, WITHOUT ROWID;
