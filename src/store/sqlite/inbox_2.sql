-- Schema version 2 of inbox.db: senders take turns.

CREATE INDEX accepted_by_source ON accepted (source, number);
