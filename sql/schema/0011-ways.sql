-- Ways in: enrolments that are under way, and the devices that are assigned to this server.

CREATE TABLE enroll_session (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  kind TINYINT NOT NULL COMMENT '1 profile service, 2 web view of the configuration URL, 3 access token of an account, 4 nonce of HTTP Digest',
  secret_sha256 BINARY(32) NOT NULL COMMENT 'digest of its challenge, token or nonce',
  profile_id BIGINT NULL COMMENT 'enroll_profile.id it leads to; NULL: that named default',
  invitation_id BIGINT NULL COMMENT 'invitation.id it began with',
  account VARCHAR(255) NULL COMMENT 'who logged in',
  account_kind TINYINT NOT NULL DEFAULT 0 COMMENT 'as handout.account_kind',
  managed_account VARCHAR(255) NULL COMMENT 'AssignedManagedAppleID',
  mode VARCHAR(8) CHARACTER SET ascii NULL COMMENT 'EnrollmentMode it is good for',
  udid VARCHAR(128) NULL COMMENT 'the device it belongs to, once one has shown itself',
  serial VARCHAR(64) NULL COMMENT 'its serial number',
  cert_der BLOB NULL COMMENT 'the certificate the device signed with',
  uses INT NOT NULL DEFAULT 0 COMMENT 'how often it was used; of a nonce: the highest nc seen',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  expires_at BIGINT NOT NULL COMMENT 'not accepted later',
  PRIMARY KEY (id),
  UNIQUE KEY secret (secret_sha256),
  KEY expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='enrolments under way: each secret is good for one purpose and for a time';

CREATE TABLE assigned_device (
  serial VARCHAR(64) NOT NULL COMMENT 'serial number',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'for people',
  source VARCHAR(16) CHARACTER SET ascii NOT NULL DEFAULT 'manual' COMMENT 'manual, or the service that told it',
  added_at BIGINT NOT NULL COMMENT 'when it was added',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (serial)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='devices that are assigned to this server and may enrol by the configuration URL';

ALTER TABLE enroll_user
  ADD COLUMN managed_account VARCHAR(255) NULL COMMENT 'Managed Apple Account; NULL: the name, when that is one';

ALTER TABLE enroll_profile_version
  ADD COLUMN login TINYINT NOT NULL DEFAULT 1 COMMENT 'asked for at the configuration URL: 1 nothing, 2 a password (HTTP Digest), 3 a login by web page',
  ADD COLUMN login_text VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'the text above the device''s question for a password; empty: a sentence that names the organisation',
  ADD COLUMN minimum_ios VARCHAR(20) NOT NULL DEFAULT '' COMMENT 'older iOS and iPadOS update before they enrol; empty: any',
  ADD COLUMN minimum_macos VARCHAR(20) NOT NULL DEFAULT '' COMMENT 'the same for macOS',
  ADD COLUMN encrypt TINYINT NOT NULL DEFAULT 0 COMMENT '1: encrypted to the device that comes by the configuration URL',
  ADD COLUMN assigned_only TINYINT NOT NULL DEFAULT 0 COMMENT '1: the configuration URL is for devices of assigned_device only';
