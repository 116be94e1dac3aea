-- The agent goes through the audit log's chain each day, and when somebody asks for it.
ALTER TABLE checkup
  MODIFY COLUMN kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'which checks: network, audit',
  MODIFY COLUMN findings MEDIUMTEXT NULL COMMENT 'what was found, as JSON: check, result, detail, fix of each; of audit: links, unlinked, bad_seq, bad, seq, digest';

INSERT INTO checkup (kind) VALUES ('audit');
