-- Schema version 3 of cuegate.db: senders take turns in routing, routing again, and the failures of `when`.

-- Senders whose events are routed further than the cursor of an inbox says, and up to where.
CREATE TABLE ahead (
    generation BLOB    NOT NULL,
    source     TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (generation, source)
) STRICT, WITHOUT ROWID;

-- What people asked to be routed once more, in the order in which they did; rule is empty for all. Asking for the same
-- twice changes nothing.
CREATE TABLE rerouted (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event  INTEGER NOT NULL,
    rule   TEXT    NOT NULL,
    again  INTEGER NOT NULL,
    UNIQUE (rule, event)
) STRICT;
INSERT OR IGNORE INTO rerouted (event, rule, again) SELECT event, rule, again FROM reroute ORDER BY number;
DROP TABLE reroute;
ALTER TABLE rerouted RENAME TO reroute;

-- Where `when` or `lane` failed, and on which events; line 0 is none.
CREATE TABLE when_failed (
    rule    TEXT    NOT NULL,
    version TEXT    NOT NULL,
    line    INTEGER NOT NULL,
    event   INTEGER NOT NULL,
    PRIMARY KEY (rule, version, line, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX when_failed_by_event ON when_failed (event);

-- Events of failures from before are told by what they keep.
INSERT OR IGNORE INTO when_failed (rule, version, line, event)
SELECT json_extract(failure.value, '$[0]'), json_extract(failure.value, '$[1]'),
       coalesce(json_extract(failure.value, '$[2].position.line'), 0), event.number
FROM event, json_each(iif(json_valid(event.failures), event.failures, '[]')) AS failure
WHERE event.failures IS NOT NULL;

-- Runs that may be what stops the gateway. There are none, as a rule, so that looking for them costs nothing.
CREATE INDEX run_suspected ON run (attempt) WHERE attempt >= 5 AND ended_at IS NULL;
