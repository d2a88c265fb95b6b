-- The log, first schema. Released: never edited; what comes later is another numbered file.
--
-- event: one row a fact. header and body hold the octets that were hashed (chain.ts); body is NULL where it was erased.
-- id is the fact's own, so that a cause can be found.
-- source and position are set only where a fact has a position; erases only in rows of the type "erased". All of them repeat
-- what header and body say, so that SQLite itself can hold the rules below; verify.ts compares them.

CREATE TABLE event (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  id TEXT NOT NULL,
  header TEXT NOT NULL,
  body TEXT,
  body_digest BLOB NOT NULL CHECK (length(body_digest) = 32),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  source TEXT,
  position TEXT,
  erases INTEGER CHECK (erases < seq),
  CHECK ((source IS NULL) = (position IS NULL))
) STRICT;

CREATE INDEX event_id ON event (id);
CREATE INDEX event_position ON event (source, position) WHERE position IS NOT NULL;
CREATE INDEX event_erases ON event (erases) WHERE erases IS NOT NULL;

CREATE TABLE log_identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  host TEXT NOT NULL
) STRICT;

-- Gapless and append-only; a source position once. Rules of one trigger, and no index is UNIQUE: INSERT OR REPLACE would
-- delete the older row unasked.
CREATE TRIGGER event_next BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event)
  OR (NEW.position IS NOT NULL
      AND EXISTS (SELECT 1 FROM event WHERE source = NEW.source AND position = NEW.position))
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: seq must be the next one, and its position new');
END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: no row is ever deleted');
END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
WHEN NOT (
  NEW.body IS NULL AND OLD.body IS NOT NULL AND OLD.erases IS NULL
  AND NEW.seq = OLD.seq AND NEW.id = OLD.id AND NEW.header = OLD.header AND NEW.body_digest = OLD.body_digest AND NEW.hash = OLD.hash
  AND NEW.source IS OLD.source AND NEW.position IS OLD.position AND NEW.erases IS NULL
  AND EXISTS (SELECT 1 FROM event AS e WHERE e.erases = OLD.seq)
)
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: a row is never changed');
END;

CREATE TRIGGER log_identity_no_update BEFORE UPDATE ON log_identity
BEGIN
  SELECT RAISE(ABORT, 'a log keeps its identity');
END;

CREATE TRIGGER log_identity_no_delete BEFORE DELETE ON log_identity
BEGIN
  SELECT RAISE(ABORT, 'a log keeps its identity');
END;
