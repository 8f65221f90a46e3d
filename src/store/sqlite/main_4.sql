-- Schema version 4 of cuegate.db: claiming and settling a run leave the lists by rule alone.

-- A run that is claimed and one that ends moved between the states of its rule, each in a page of its own: half of what
-- every claim and every settlement wrote. Which runs a rule has never changes, and the states that few runs come to
-- have an index of their own.
DROP INDEX run_by_rule;
CREATE INDEX run_by_rule ON run (rule, id);
CREATE INDEX run_by_rule_and_state ON run (rule, state, id) WHERE state NOT IN ('queued', 'running', 'succeeded');
