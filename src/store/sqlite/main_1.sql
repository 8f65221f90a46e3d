-- Times are microseconds since 1970. Fat rows that never change (event_body, intent, step) lie apart from
-- small ones that do (run, lane), so that a change of state never rewrites a payload.

CREATE TABLE rule_set (
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    json       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE active_rule_set (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    rule_set INTEGER NOT NULL
) STRICT;

-- How far each inbox is routed.
CREATE TABLE cursor (
    generation BLOB    PRIMARY KEY,
    number     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Accepted rows that could not be read back: kept, because what was accepted is never thrown away.
CREATE TABLE unreadable (
    generation   BLOB    NOT NULL,
    number       INTEGER NOT NULL,
    bytes        BLOB    NOT NULL,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (generation, number)
) STRICT;

CREATE TABLE event (
    number      INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    source      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    rule_set    INTEGER NOT NULL,
    failures    TEXT
) STRICT;

CREATE TABLE event_body (
    event INTEGER PRIMARY KEY,
    json  TEXT    NOT NULL
) STRICT;

-- What tells a repeated delivery.
CREATE TABLE event_key (
    key          BLOB    NOT NULL,
    dedup_window INTEGER NOT NULL,
    event        INTEGER NOT NULL,
    PRIMARY KEY (key, dedup_window)
) STRICT, WITHOUT ROWID;

-- Ids under which a repeated delivery was answered.
CREATE TABLE alias (
    id    BLOB    PRIMARY KEY,
    event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The head of a lane is its run number head_seq; head_seq = next_seq says that there is none.
CREATE TABLE lane (
    id       INTEGER PRIMARY KEY,
    rule     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('idle', 'ready', 'leased', 'waiting', 'parked')),
    head_seq INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    head_run INTEGER,
    token    INTEGER NOT NULL,
    UNIQUE (rule, key),
    CHECK ((state = 'idle') = (head_run IS NULL))
) STRICT;
CREATE INDEX lane_ready ON lane (rule, head_run) WHERE state = 'ready';

CREATE TABLE run (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    lane          INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    event         INTEGER NOT NULL,
    rule          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    rule_set      INTEGER NOT NULL,
    binding       INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    steps         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    failing_since INTEGER,
    due_at        INTEGER,
    ended_at      INTEGER,
    reason        TEXT,
    failure       TEXT,
    UNIQUE (lane, seq)
) STRICT;
CREATE INDEX run_by_state ON run (state, id);
CREATE INDEX run_by_event ON run (event);

CREATE TABLE timer (
    run    INTEGER PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX timer_due ON timer (due_at);

-- A step may be asked for several times, so an intent has a number of its own.
CREATE TABLE intent (
    id     INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB    NOT NULL,
    effect TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX intent_by_run ON intent (run, number);

-- Intents that proved not to have happened.
CREATE TABLE withdrawn (
    intent INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE step (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB    NOT NULL,
    effect TEXT    NOT NULL,
    answer TEXT    NOT NULL,
    UNIQUE (run, number)
) STRICT;

CREATE TABLE log (
    run   INTEGER NOT NULL,
    step  INTEGER NOT NULL,
    line  INTEGER NOT NULL,
    level TEXT    NOT NULL,
    text  TEXT    NOT NULL,
    PRIMARY KEY (run, step, line)
) STRICT, WITHOUT ROWID;

-- Counting a million waiting runs must not read a million rows.
CREATE TABLE event_count (
    state  TEXT    PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER event_counted AFTER INSERT ON event BEGIN
    INSERT INTO event_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER event_recounted AFTER UPDATE OF state ON event BEGIN
    UPDATE event_count SET number = number - 1 WHERE state = old.state;
    INSERT INTO event_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER event_discounted AFTER DELETE ON event BEGIN
    UPDATE event_count SET number = number - 1 WHERE state = old.state;
END;

CREATE TABLE run_count (
    state  TEXT    PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER run_counted AFTER INSERT ON run BEGIN
    INSERT INTO run_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER run_recounted AFTER UPDATE OF state ON run BEGIN
    UPDATE run_count SET number = number - 1 WHERE state = old.state;
    INSERT INTO run_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER run_discounted AFTER DELETE ON run BEGIN
    UPDATE run_count SET number = number - 1 WHERE state = old.state;
END;
