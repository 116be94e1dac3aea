-- Drover's first schema: identities, enrollments and their lives, the queue, results, push.
-- Every time is microseconds since 1970 UTC. Every secret is sealed to the signer's public key.
-- Rows that a device's message touches carry no foreign keys: a check of a parent row locks it,
-- and one command for many devices would make them wait for each other.

CREATE TABLE site (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what the row is about',
  value TEXT NULL COMMENT 'its value, if it has one',
  version BIGINT NOT NULL DEFAULT 1 COMMENT 'raised at each change, so that caches notice',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='settings and version counters of the whole site';

INSERT INTO site (name, value) VALUES ('trust', NULL), ('pushcert', NULL), ('unknown', NULL);

CREATE TABLE trust_ca (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the certificate''s DER',
  der BLOB NOT NULL COMMENT 'the CA certificate',
  subject VARCHAR(512) NOT NULL COMMENT 'its subject, for people',
  not_after BIGINT NOT NULL COMMENT 'its last moment',
  added_at BIGINT NOT NULL COMMENT 'when it was trusted',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='CAs of device identities, beside Drover''s own';

CREATE TABLE identity_cert (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the certificate''s DER: the name it has everywhere',
  der BLOB NULL COMMENT 'the certificate, when Drover issued it or first saw it',
  serial VARCHAR(64) CHARACTER SET ascii NOT NULL DEFAULT '' COMMENT 'serial number, lower-case hexadecimal',
  subject VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'its subject, for people',
  key_sha256 BINARY(32) NULL COMMENT 'digest of its SubjectPublicKeyInfo',
  not_before BIGINT NOT NULL DEFAULT 0 COMMENT 'first moment of its validity',
  not_after BIGINT NOT NULL DEFAULT 0 COMMENT 'last moment of its validity',
  issued_at BIGINT NULL COMMENT 'when Drover issued it; NULL: another CA did',
  device_id BIGINT NULL COMMENT 'enrollment.id of the device it is bound to; NULL: not bound yet',
  life_id BIGINT NULL COMMENT 'life.id it was last bound to',
  renews_device_id BIGINT NULL COMMENT 'device whose own renewal made this certificate; everything carries over',
  revoked_at BIGINT NULL COMMENT 'when it was revoked; NULL: it was not',
  revoked_why VARCHAR(255) NULL COMMENT 'by whom and why',
  PRIMARY KEY (sha256),
  KEY device (device_id),
  KEY not_after (not_after)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='device identities: issued, seen, bound, revoked';

CREATE TABLE enrollment (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  ident VARCHAR(255) NOT NULL COMMENT 'enrollment id: UDID, UDID:UserID, UDID:UserShortName, EnrollmentID, EnrollmentID:EnrollmentUserID',
  kind TINYINT NOT NULL COMMENT '1 Device, 2 User, 3 Shared iPad, 4 User Enrollment (Device), 5 User Enrollment',
  device_id BIGINT NOT NULL DEFAULT 0 COMMENT 'the device''s enrollment.id; its own id for a device channel',
  state TINYINT NOT NULL COMMENT '1 pending (Authenticate seen), 2 enrolled, 3 checked out, 4 ended by a person or rule',
  life_id BIGINT NULL COMMENT 'current life; NULL before the first TokenUpdate',
  pending_life_id BIGINT NULL COMMENT 'life opened by an Authenticate whose TokenUpdate has not come',
  udid VARCHAR(128) NULL COMMENT 'UDID',
  user_id VARCHAR(128) NULL COMMENT 'UserID or EnrollmentUserID',
  user_short_name VARCHAR(255) NULL COMMENT 'UserShortName',
  user_long_name VARCHAR(255) NULL COMMENT 'UserLongName',
  serial VARCHAR(64) NULL COMMENT 'SerialNumber, from Authenticate',
  device_name VARCHAR(255) NULL COMMENT 'DeviceName, from Authenticate',
  product_name VARCHAR(64) NULL COMMENT 'ProductName (iPhone3,1)',
  model VARCHAR(64) NULL COMMENT 'Model',
  model_name VARCHAR(64) NULL COMMENT 'ModelName',
  os_version VARCHAR(32) NULL COMMENT 'OSVersion',
  build_version VARCHAR(32) NULL COMMENT 'BuildVersion',
  imei VARCHAR(32) NULL COMMENT 'IMEI',
  meid VARCHAR(32) NULL COMMENT 'MEID',
  created_at BIGINT NOT NULL COMMENT 'first seen',
  enrolled_at BIGINT NULL COMMENT 'start of the current life',
  last_seen_at BIGINT NOT NULL COMMENT 'last message, true to a minute',
  put_off TINYINT NOT NULL DEFAULT 0 COMMENT '1: a command was answered NotNow since the last Idle that found one',
  ended_at BIGINT NULL COMMENT 'when it checked out or was ended',
  ended_by VARCHAR(128) NULL COMMENT 'the person or rule that ended it',
  ended_why VARCHAR(255) NULL COMMENT 'the reason given',
  PRIMARY KEY (id),
  UNIQUE KEY ident (ident),
  KEY device (device_id, ident),
  KEY serial (serial),
  KEY last_seen (last_seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='channels under management: devices, and users on them';

CREATE TABLE life (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  state TINYINT NOT NULL COMMENT '1 pending, 2 current, 3 over',
  cert_sha256 BINARY(32) NULL COMMENT 'the identity it was opened with; NULL: a user channel, or moved in without one',
  renewal TINYINT NOT NULL DEFAULT 0 COMMENT '1: opened by Drover''s own renewal of the identity; secrets and queue carry over',
  topic VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'Topic',
  push_token VARBINARY(512) NULL COMMENT 'Token',
  push_magic VARCHAR(255) NULL COMMENT 'PushMagic',
  unlock_token MEDIUMBLOB NULL COMMENT 'UnlockToken, sealed',
  bootstrap_token MEDIUMBLOB NULL COMMENT 'BootstrapToken, sealed',
  awaiting_configuration TINYINT NOT NULL DEFAULT 0 COMMENT 'AwaitingConfiguration of the last TokenUpdate',
  not_on_console TINYINT NOT NULL DEFAULT 0 COMMENT 'NotOnConsole of the last TokenUpdate',
  opened_at BIGINT NOT NULL COMMENT 'its Authenticate (user channels: first TokenUpdate)',
  token_at BIGINT NULL COMMENT 'last TokenUpdate',
  token_update_tally BIGINT NOT NULL DEFAULT 0 COMMENT 'TokenUpdates of this life; 1 means just enrolled',
  push_dead_at BIGINT NULL COMMENT 'APNs called the token dead; a TokenUpdate or a poll ends that',
  push_dead_why VARCHAR(64) NULL COMMENT 'the reason APNs gave',
  over_at BIGINT NULL COMMENT 'when it ended',
  over_why VARCHAR(255) NULL COMMENT 'replaced, failed update, checked out, ended',
  PRIMARY KEY (id),
  KEY enrollment (enrollment_id),
  KEY topic (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='one installation of an MDM profile on a channel';

CREATE TABLE command (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  uuid VARCHAR(128) NOT NULL COMMENT 'CommandUUID',
  request_type VARCHAR(64) NOT NULL COMMENT 'RequestType',
  body MEDIUMBLOB NOT NULL COMMENT 'the command as a property list, before personal values are filled in',
  fill TINYINT NOT NULL DEFAULT 0 COMMENT 'bits: 1 the UnlockToken is filled in on delivery',
  dedupe_key VARCHAR(128) NULL COMMENT 'at most one open command with this key per enrollment',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'API key, administrator or rule that made it',
  PRIMARY KEY (id),
  UNIQUE KEY uuid (uuid),
  KEY created (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='commands, each stored once for all its devices';

CREATE TABLE queue (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  urgency TINYINT NOT NULL COMMENT 'minus the priority: smaller goes first',
  queued_at BIGINT NOT NULL COMMENT 'when it was queued; the order within an urgency',
  command_id BIGINT NOT NULL COMMENT 'command.id; the order of commands queued in one moment',
  state TINYINT NOT NULL COMMENT '1 queued, 2 sent, 3 not now',
  not_before BIGINT NOT NULL DEFAULT 0 COMMENT 'not offered earlier',
  expires_at BIGINT NULL COMMENT 'not offered later',
  sent_at BIGINT NULL COMMENT 'last delivery',
  sent_count SMALLINT NOT NULL DEFAULT 0 COMMENT 'deliveries',
  notnow_at BIGINT NULL COMMENT 'first NotNow',
  notnow_count SMALLINT NOT NULL DEFAULT 0 COMMENT 'NotNows',
  ticket VARBINARY(255) NULL COMMENT 'the signer''s leave to open this enrollment''s UnlockToken for this command',
  PRIMARY KEY (enrollment_id, urgency, queued_at, command_id),
  UNIQUE KEY one (enrollment_id, command_id),
  KEY command (command_id),
  KEY expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='open commands, in the order in which they are offered';

CREATE TABLE result (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  command_id BIGINT NOT NULL COMMENT 'command.id',
  state TINYINT NOT NULL COMMENT '4 acknowledged, 5 error, 6 format error, 7 cancelled, 8 expired, 9 sent and unconfirmed',
  queued_at BIGINT NOT NULL COMMENT 'when it was queued',
  sent_at BIGINT NULL COMMENT 'last delivery; NULL: never sent',
  sent_count SMALLINT NOT NULL DEFAULT 0 COMMENT 'deliveries',
  notnow_at BIGINT NULL COMMENT 'first NotNow',
  notnow_count SMALLINT NOT NULL DEFAULT 0 COMMENT 'NotNows',
  closed_at BIGINT NOT NULL COMMENT 'when it left the queue',
  closed_why VARCHAR(255) NULL COMMENT 'who cancelled it and why',
  reported_at BIGINT NULL COMMENT 'when the final status came; later than closed_at for a late one',
  report MEDIUMBLOB NULL COMMENT 'the report as sent, a property list',
  PRIMARY KEY (enrollment_id, command_id),
  KEY command (command_id),
  KEY closed (closed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='closed commands and what the device said';

CREATE TABLE push_cert (
  topic VARCHAR(255) NOT NULL COMMENT 'com.apple.mgmt.*, the certificate''s UID',
  cert_pem MEDIUMBLOB NOT NULL COMMENT 'the certificate and its chain, PEM',
  key_sealed BLOB NOT NULL COMMENT 'its key, PEM, sealed',
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the certificate''s DER',
  not_before BIGINT NOT NULL COMMENT 'first moment of its validity',
  not_after BIGINT NOT NULL COMMENT 'last moment of its validity',
  version BIGINT NOT NULL DEFAULT 1 COMMENT 'raised when it is renewed',
  suspended_at BIGINT NULL COMMENT 'APNs refused the certificate then',
  suspended_why VARCHAR(128) NULL COMMENT 'with this reason',
  added_at BIGINT NOT NULL COMMENT 'when this version was stored',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='push certificates, one for each topic';

CREATE TABLE push (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id: one push waits at most',
  state TINYINT NOT NULL COMMENT '1 wanted, 2 claimed by the agent, 3 sent, 4 failed, 5 token dead',
  due_at BIGINT NOT NULL COMMENT 'not sent earlier; of a claimed one: claimed until',
  wanted_at BIGINT NOT NULL COMMENT 'when it was asked for',
  expires_at BIGINT NOT NULL COMMENT 'given up then',
  attempts SMALLINT NOT NULL DEFAULT 0 COMMENT 'attempts since it was asked for',
  apns_id CHAR(36) CHARACTER SET ascii NULL COMMENT 'apns-id to use, or used',
  sent_at BIGINT NULL COMMENT 'last success',
  last_at BIGINT NULL COMMENT 'last attempt',
  last_status SMALLINT NULL COMMENT 'HTTP status of the last attempt; 0: no answer',
  last_reason VARCHAR(128) NULL COMMENT 'the reason APNs or the connection gave',
  PRIMARY KEY (enrollment_id),
  KEY due (state, due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='the push outbox';

CREATE TABLE outcall (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  service VARCHAR(32) CHARACTER SET ascii NOT NULL COMMENT 'what is called: escrowkeyunlock',
  topic VARCHAR(255) NOT NULL COMMENT 'whose push certificate identifies the caller',
  request BLOB NOT NULL COMMENT 'what is sent, sealed',
  state TINYINT NOT NULL COMMENT '1 waits for the agent, 2 under way, 3 answered',
  created_at BIGINT NOT NULL COMMENT 'when it was asked for',
  status SMALLINT NULL COMMENT 'HTTP status of the answer; 0: there was none',
  content_type VARCHAR(128) NULL COMMENT 'its Content-Type',
  answer MEDIUMBLOB NULL COMMENT 'its body',
  error VARCHAR(400) NULL COMMENT 'why there was no answer',
  PRIMARY KEY (id),
  KEY state (state, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='calls of other services that a caller waits for and the agent makes';

CREATE TABLE lease (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what is leased',
  holder VARCHAR(128) NOT NULL COMMENT 'host, process id and a random word',
  expires_at BIGINT NOT NULL COMMENT 'by the database''s clock',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='which agent of the site works';

CREATE TABLE unknown_device (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  ident VARCHAR(255) NOT NULL COMMENT 'the enrollment id it claims',
  cert_sha256 BINARY(32) NOT NULL COMMENT 'the identity it came with',
  subject VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'that certificate''s subject',
  topic VARCHAR(255) NULL COMMENT 'Topic, when it told one',
  last_message VARCHAR(64) NOT NULL COMMENT 'MessageType or Status of its last message',
  first_seen_at BIGINT NOT NULL COMMENT 'first message',
  last_seen_at BIGINT NOT NULL COMMENT 'last message, true to a minute',
  contacts BIGINT NOT NULL DEFAULT 1 COMMENT 'messages, true to a minute',
  decision TINYINT NOT NULL DEFAULT 0 COMMENT '0 open, 1 accept it at its next message, 2 end it (401)',
  decided_at BIGINT NULL COMMENT 'when it was decided',
  decided_by VARCHAR(128) NULL COMMENT 'by whom or by which rule',
  decided_why VARCHAR(255) NULL COMMENT 'the reason given',
  PRIMARY KEY (id),
  UNIQUE KEY ident (cert_sha256, ident),
  KEY of_ident (ident),
  KEY last_seen (last_seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='devices with a valid certificate that the database does not know';

CREATE TABLE audit (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  at BIGINT NOT NULL COMMENT 'when',
  actor VARCHAR(128) NOT NULL COMMENT 'person, API key, rule or device',
  action VARCHAR(64) NOT NULL COMMENT 'what, as area.verb',
  subject VARCHAR(255) NOT NULL COMMENT 'to what',
  detail TEXT NULL COMMENT 'the rest, key=value',
  PRIMARY KEY (id),
  KEY at (at),
  KEY subject (subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='who did what; rows are only added';

CREATE TABLE apikey (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  name VARCHAR(128) NOT NULL COMMENT 'what people call it',
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the key',
  scopes VARCHAR(255) NOT NULL COMMENT 'what it may, space-separated; * is everything',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  expires_at BIGINT NULL COMMENT 'not accepted later',
  revoked_at BIGINT NULL COMMENT 'not accepted since',
  last_used_at BIGINT NULL COMMENT 'last use, true to an hour',
  PRIMARY KEY (id),
  UNIQUE KEY name (name),
  UNIQUE KEY sha256 (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='keys of the HTTP API';

CREATE TABLE admin (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  name VARCHAR(128) NOT NULL COMMENT 'sign-in name',
  password_hash VARCHAR(255) NOT NULL COMMENT 'scrypt',
  role VARCHAR(32) NOT NULL DEFAULT 'administrator' COMMENT 'what the person may',
  created_at BIGINT NOT NULL COMMENT 'when the account was made',
  disabled_at BIGINT NULL COMMENT 'no sign-in since',
  PRIMARY KEY (id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='administrators';

CREATE TABLE invitation (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  token_sha256 BINARY(32) NOT NULL COMMENT 'digest of the token in the link',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'for whom',
  uses_max INT NOT NULL DEFAULT 1 COMMENT 'how often it works',
  uses INT NOT NULL DEFAULT 0 COMMENT 'how often it was used',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  expires_at BIGINT NOT NULL COMMENT 'does not work later',
  used_at BIGINT NULL COMMENT 'last use',
  PRIMARY KEY (id),
  UNIQUE KEY token (token_sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='links to the enrolment profile';

CREATE TABLE scep_challenge (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the challenge',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  expires_at BIGINT NOT NULL COMMENT 'does not work later',
  device_id BIGINT NULL COMMENT 'made for the renewal of this device''s identity',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'invitation or profile it was made for',
  used_at BIGINT NULL COMMENT 'when it was used up',
  transaction_id VARCHAR(255) NULL COMMENT 'the SCEP transaction that used it',
  PRIMARY KEY (sha256),
  KEY expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='one-time challenges of SCEP';

CREATE TABLE scep_transaction (
  transaction_sha256 BINARY(32) NOT NULL COMMENT 'digest of transactionID',
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of the requested key''s SubjectPublicKeyInfo',
  transaction_id VARCHAR(255) NOT NULL COMMENT 'transactionID',
  cert_sha256 BINARY(32) NOT NULL COMMENT 'the certificate that answered it',
  created_at BIGINT NOT NULL COMMENT 'when',
  PRIMARY KEY (transaction_sha256, key_sha256),
  KEY created (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='SCEP requests that were answered: the same request gets the same certificate';
