-- Durable runs: waiting for more than a time, modes of lanes, children, state, pauses, what people ask for.

-- Lists filter by what an event says and by the object that it is about.
ALTER TABLE event ADD COLUMN subject TEXT;
ALTER TABLE event ADD COLUMN object TEXT;
ALTER TABLE event ADD COLUMN echo INTEGER NOT NULL DEFAULT 0;
CREATE INDEX event_by_state ON event (state, number);
CREATE INDEX event_by_subject ON event (subject, number);
CREATE INDEX event_by_object ON event (object, number) WHERE object IS NOT NULL;
CREATE INDEX event_by_source ON event (source, number);
CREATE INDEX alias_by_event ON alias (event);

-- A lane says how urgent its head is: claims go by (rule, rank, head_run), and the lower rank goes first.
ALTER TABLE lane ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
DROP INDEX lane_ready;
CREATE INDEX lane_ready ON lane (rule, rank, head_run) WHERE state = 'ready';
CREATE INDEX lane_leased ON lane (rule) WHERE state = 'leased';

-- Since when its head could be claimed: the oldest of them tells how far behind everything is.
ALTER TABLE lane ADD COLUMN ready_since INTEGER;
CREATE INDEX lane_ready_since ON lane (ready_since) WHERE state = 'ready';

-- A lane counts the rows of its runs: one that is idle and has none is not needed any more.
ALTER TABLE lane ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
UPDATE lane SET runs = (SELECT count(*) FROM run WHERE run.lane = lane.id);

-- When retention took the payload: the row goes on telling that there was an event, as long as its key may be needed.
ALTER TABLE event ADD COLUMN pruned_at INTEGER;

-- The place of a run in its lane is its own only while it is unfinished: a run that goes on for another takes its place.
CREATE TABLE run_2 (
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
    class         TEXT,
    waits_for     TEXT,
    quiet_since   INTEGER,
    object        TEXT,
    object_type   TEXT,
    priority      INTEGER NOT NULL DEFAULT 0,
    parent        INTEGER,
    retry_of      INTEGER,
    replay_of     INTEGER,
    followed_by   INTEGER,
    released      TEXT,
    pruned_at     INTEGER
) STRICT;
INSERT INTO run_2 (id, lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at,
                   started_at, failing_since, due_at, ended_at, reason, failure, class, waits_for)
SELECT id, lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at,
       started_at, failing_since, due_at, ended_at, reason, failure,
       CASE state WHEN 'dead' THEN json_extract(failure, '$.class') WHEN 'parked' THEN 'uncertain' END,
       CASE state WHEN 'waiting' THEN 'retry' END
FROM run;
DROP TABLE run;
ALTER TABLE run_2 RENAME TO run;
CREATE UNIQUE INDEX run_open ON run (lane, seq) WHERE ended_at IS NULL;
CREATE INDEX run_by_state ON run (state, id);
CREATE INDEX run_by_class ON run (class, id) WHERE class IS NOT NULL;
CREATE INDEX run_by_rule ON run (rule, state, id);
CREATE INDEX run_by_event ON run (event);
CREATE INDEX run_by_object ON run (object, id) WHERE object IS NOT NULL;
CREATE INDEX run_by_parent ON run (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX run_open_child ON run (parent, state) WHERE parent IS NOT NULL AND ended_at IS NULL;
CREATE INDEX run_dead_letter ON run (id) WHERE state = 'dead' AND followed_by IS NULL;
CREATE TRIGGER run_counted AFTER INSERT ON run BEGIN
    INSERT INTO run_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
    UPDATE lane SET runs = runs + 1 WHERE id = new.lane;
END;
CREATE TRIGGER run_recounted AFTER UPDATE OF state ON run BEGIN
    UPDATE run_count SET number = number - 1 WHERE state = old.state;
    INSERT INTO run_count VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER run_discounted AFTER DELETE ON run BEGIN
    UPDATE run_count SET number = number - 1 WHERE state = old.state;
    UPDATE lane SET runs = runs - 1 WHERE id = old.lane;
END;

-- What waiting, dead and parked runs are counted by. A dead run that a person has followed up is no dead letter.
CREATE TABLE class_count (
    state  TEXT    NOT NULL,
    class  TEXT    NOT NULL,
    rule   TEXT    NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (state, class, rule)
) STRICT, WITHOUT ROWID;
INSERT INTO class_count (state, class, rule, number)
SELECT state, coalesce(class, waits_for, ''), rule, count(*) FROM run
WHERE state IN ('waiting', 'dead', 'parked') GROUP BY 1, 2, 3;
CREATE TRIGGER run_classed AFTER INSERT ON run WHEN new.state IN ('waiting', 'dead', 'parked') BEGIN
    INSERT INTO class_count VALUES (new.state, coalesce(new.class, new.waits_for, ''), new.rule, 1)
    ON CONFLICT (state, class, rule) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER run_left_class AFTER UPDATE OF state, followed_by ON run
WHEN old.state IN ('waiting', 'dead', 'parked') AND old.followed_by IS NULL BEGIN
    UPDATE class_count SET number = number - 1
    WHERE state = old.state AND class = coalesce(old.class, old.waits_for, '') AND rule = old.rule;
END;
CREATE TRIGGER run_came_to_class AFTER UPDATE OF state, followed_by ON run
WHEN new.state IN ('waiting', 'dead', 'parked') AND new.followed_by IS NULL BEGIN
    INSERT INTO class_count VALUES (new.state, coalesce(new.class, new.waits_for, ''), new.rule, 1)
    ON CONFLICT (state, class, rule) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER run_unclassed AFTER DELETE ON run
WHEN old.state IN ('waiting', 'dead', 'parked') AND old.followed_by IS NULL BEGIN
    UPDATE class_count SET number = number - 1
    WHERE state = old.state AND class = coalesce(old.class, old.waits_for, '') AND rule = old.rule;
END;

-- Which numbers were given in which hour, so that a list since yesterday need not read the years before. Hours may
-- overlap, because a clock can be set back; numbers never go back.
CREATE TABLE run_hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO run_hour SELECT created_at / 3600000000, min(id), max(id) FROM run GROUP BY 1;
CREATE TRIGGER run_timed AFTER INSERT ON run BEGIN
    INSERT INTO run_hour VALUES (new.created_at / 3600000000, new.id, new.id)
    ON CONFLICT (hour) DO UPDATE SET last = max(last, excluded.last);
END;
CREATE TABLE event_hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO event_hour SELECT received_at / 3600000000, min(number), max(number) FROM event GROUP BY 1;
CREATE TRIGGER event_timed AFTER INSERT ON event BEGIN
    INSERT INTO event_hour VALUES (new.received_at / 3600000000, new.number, new.number)
    ON CONFLICT (hour) DO UPDATE SET last = max(last, excluded.last);
END;

-- Runs that wait for an event, found by the first of the fields that it must have; both are empty for none.
CREATE TABLE event_wait (
    run     INTEGER PRIMARY KEY,
    source  TEXT    NOT NULL,
    field   TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    pattern TEXT    NOT NULL,
    fields  TEXT    NOT NULL,
    found   INTEGER
) STRICT;
CREATE INDEX event_wait_for ON event_wait (source, field, value) WHERE found IS NULL;

-- Runs that wait for a job of Iconik.
CREATE TABLE job_wait (
    run INTEGER PRIMARY KEY,
    job TEXT    NOT NULL
) STRICT;
CREATE INDEX job_wait_for ON job_wait (job);

-- What the door did besides the step itself: look-ups, re-reads, decisions of people. For the trace.
CREATE TABLE remark (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    line   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    text   TEXT    NOT NULL,
    PRIMARY KEY (run, number, line)
) STRICT, WITHOUT ROWID;

-- The walk of a run's `each`: how far it is, and how the children have ended.
CREATE TABLE walk (
    run          INTEGER PRIMARY KEY,
    steps_before INTEGER NOT NULL,
    place        TEXT    NOT NULL,
    ended_at     INTEGER,
    priority     INTEGER NOT NULL,
    objects      INTEGER NOT NULL,
    released     INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    succeeded    INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    dead         INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    superseded   INTEGER NOT NULL,
    done_at      INTEGER,
    children_of  INTEGER
) STRICT;
CREATE TABLE walk_object (
    run         INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    object_type TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    lane        TEXT    NOT NULL,
    PRIMARY KEY (run, number),
    UNIQUE (run, object_type, object_id)
) STRICT, WITHOUT ROWID;

-- What rules keep from run to run.
CREATE TABLE state_entry (
    rule       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    expires_at INTEGER,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (rule, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_entry_expiry ON state_entry (expires_at) WHERE expires_at IS NOT NULL;

-- What a person has stopped, and what was stopped for their sake. The scope is 'all', 'writes' or 'rule:…'.
CREATE TABLE pause (
    scope      TEXT    PRIMARY KEY,
    quarantine INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that a quarantined rule would have been asked about.
CREATE TABLE held (
    rule  TEXT    NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (rule, event)
) STRICT, WITHOUT ROWID;

-- Events to be routed once more: to one rule, or with an empty name to all that have no run of it.
CREATE TABLE reroute (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event  INTEGER NOT NULL,
    rule   TEXT    NOT NULL,
    again  INTEGER NOT NULL,
    UNIQUE (rule, event)
) STRICT;

-- Where `when` or `lane` failed, and on which events; line 0 is none.
CREATE TABLE when_failed (
    rule    TEXT    NOT NULL,
    version TEXT    NOT NULL,
    line    INTEGER NOT NULL,
    event   INTEGER NOT NULL,
    PRIMARY KEY (rule, version, line, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX when_failed_by_event ON when_failed (event);

-- Up to when the schedule of each rule has been looked at, and which one that was.
CREATE TABLE schedule (
    rule          TEXT    PRIMARY KEY,
    timetable     TEXT    NOT NULL,
    considered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The youngest event that retention has removed with its key, so that an unknown id can be answered honestly.
CREATE TABLE pruned (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    received_at INTEGER NOT NULL
) STRICT;

-- Rows that a repair has taken out because nobody can read them: as they were, in JSON.
CREATE TABLE set_aside (
    number       INTEGER PRIMARY KEY,
    origin       TEXT    NOT NULL,
    row          TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    set_aside_at INTEGER NOT NULL
) STRICT;
