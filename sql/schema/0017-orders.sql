-- Commands with secrets, what was left out of them, requests that wait for a second person, and
-- requests that may be repeated.

ALTER TABLE command
  ADD COLUMN sealed MEDIUMBLOB NULL COMMENT 'the whole command, sealed, where it holds a secret; body is without it then',
  ADD COLUMN dropped TEXT NULL COMMENT 'JSON array of the queries that were left out, as these devices do not answer them',
  ADD COLUMN reason VARCHAR(255) NULL COMMENT 'why it was sent, where a reason is asked for';

CREATE TABLE inv_secret (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  kind VARCHAR(64) NOT NULL COMMENT 'the key that tells it: ActivationLockBypassCode, DeviceLock.PIN; of a managed app with its identifier',
  about VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'the app, where it is one app''s',
  sealed MEDIUMBLOB NOT NULL COMMENT 'the secret, sealed',
  at BIGINT NOT NULL COMMENT 'when it was told or set',
  command_id BIGINT NOT NULL COMMENT 'command.id that brought it',
  PRIMARY KEY (enrollment_id, kind, about)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='secrets that devices told, or were given; opened for a named person with a reason';

CREATE TABLE approval (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  state TINYINT NOT NULL COMMENT '1 waits, 2 approved, 3 refused, 4 expired',
  request_type VARCHAR(64) NOT NULL COMMENT 'RequestType of the command',
  targets INT NOT NULL COMMENT 'how many enrollments it names',
  first_target VARCHAR(255) NOT NULL COMMENT 'one of them',
  request MEDIUMBLOB NOT NULL COMMENT 'the request as it came, JSON, sealed: it may hold a PIN',
  reason VARCHAR(255) NOT NULL COMMENT 'why it was asked for',
  asked_at BIGINT NOT NULL COMMENT 'when',
  asked_by VARCHAR(128) NOT NULL COMMENT 'by whom: nobody approves what he asked for',
  expires_at BIGINT NOT NULL COMMENT 'not approved later',
  decided_at BIGINT NULL COMMENT 'when it was approved or refused',
  decided_by VARCHAR(128) NULL COMMENT 'by whom',
  decided_why VARCHAR(255) NULL COMMENT 'the reason given',
  PRIMARY KEY (id),
  KEY state (state, expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='sensitive commands that wait for a second person';

CREATE TABLE idempotency (
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of who asked and of the Idempotency-Key',
  request_sha256 BINARY(32) NOT NULL COMMENT 'digest of the request: the same key goes with the same request only',
  begun_at BIGINT NOT NULL COMMENT 'when it came first',
  status SMALLINT NULL COMMENT 'HTTP status of the answer; NULL: it is being worked on',
  answer MEDIUMBLOB NULL COMMENT 'the answer''s body',
  PRIMARY KEY (key_sha256),
  KEY begun (begun_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='requests with an Idempotency-Key: a repeated one gets the first one''s answer';
