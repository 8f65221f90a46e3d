-- Schema version 4 of cuegate.db: sealed tokens of people who have pressed buttons, apart from the events.

CREATE TABLE sealed_token (
    event      BLOB    PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
