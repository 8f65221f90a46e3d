-- Schema version 5 of cuegate.db: tokens of people, and jobs of Iconik that show how runs are getting on.

-- Sealed tokens of people who have pressed buttons, apart from the events.
CREATE TABLE sealed_token (
    event      BLOB    PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The job that a run with `progress` has made. `told` is what Iconik knows of the run, in JSON; who knows `abort_key` may
-- end the run. A row is ended when Iconik has been told the end.
CREATE TABLE kept_job (
    run       INTEGER PRIMARY KEY,
    job       TEXT    NOT NULL,
    abort_key TEXT    NOT NULL UNIQUE,
    told      TEXT    NOT NULL,
    ended_at  INTEGER
) STRICT;
CREATE INDEX kept_job_open ON kept_job (run) WHERE ended_at IS NULL;
