-- A new file is a new generation: cursors of another one mean nothing here.
CREATE TABLE generation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  BLOB NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, randomblob(16));

-- Only ever appended to, and deleted from below the routing cursor. AUTOINCREMENT, so that a number is never used twice.
CREATE TABLE accepted (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB    NOT NULL,
    key          BLOB    NOT NULL,
    dedup_window INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    json         TEXT    NOT NULL
) STRICT;
