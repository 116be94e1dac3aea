-- Enrolment profiles as objects with versions, and a record of each profile that was given out, by
-- which a device's life knows what it enrolled with and who brought it.

CREATE TABLE enroll_profile (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what people call it; default is the one for everybody who asks for no other',
  version INT NOT NULL COMMENT 'enroll_profile_version.version that is in force',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='enrolment profiles';

CREATE TABLE enroll_profile_version (
  profile_id BIGINT NOT NULL COMMENT 'enroll_profile.id',
  version INT NOT NULL COMMENT '1, 2, 3: every edit makes one',
  made_at BIGINT NOT NULL COMMENT 'when',
  made_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'why, or what it goes back to',
  organization VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'PayloadOrganization; empty: [server] organization',
  title VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'PayloadDisplayName; empty: Device management',
  description TEXT NOT NULL COMMENT 'PayloadDescription; empty: a sentence that names the organisation',
  consent TEXT NOT NULL COMMENT 'ConsentText, which the device shows before it installs; empty: none',
  topic VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'Topic; empty: [enroll] topic, or that of the only push certificate',
  server_url VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'https base of ServerURL; empty: [server] device_url',
  checkin_url VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'https base of CheckInURL; empty: that of ServerURL',
  access_rights INT NOT NULL COMMENT 'AccessRights',
  sign_message TINYINT NOT NULL COMMENT 'SignMessage',
  check_out_when_removed TINYINT NOT NULL COMMENT 'CheckOutWhenRemoved',
  use_development_apns TINYINT NOT NULL COMMENT 'UseDevelopmentAPNS',
  server_capabilities VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'ServerCapabilities, space-separated',
  certificates MEDIUMTEXT NOT NULL COMMENT 'roots, intermediates and TLS chain that it installs, PEM',
  identity TINYINT NOT NULL COMMENT '1 SCEP with a one-time challenge, 2 SCEP with the static challenge, 3 PKCS#12 made by the signer, 4 another SCEP server',
  key_type VARCHAR(8) CHARACTER SET ascii NOT NULL DEFAULT 'RSA' COMMENT 'of the identity: RSA, or EC with PKCS#12',
  key_size SMALLINT NOT NULL DEFAULT 2048 COMMENT 'its bits',
  scep_url VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'of the other SCEP server',
  scep_name VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'its Name',
  scep_subject VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'the Subject to ask for, /O=name/CN=name; %UUID% is filled in',
  scep_fingerprint VARCHAR(128) CHARACTER SET ascii NOT NULL DEFAULT '' COMMENT 'CAFingerprint of its CA, hexadecimal',
  scep_challenge BLOB NULL COMMENT 'its Challenge, sealed',
  removal TINYINT NOT NULL DEFAULT 1 COMMENT '1 allowed, 2 not (PayloadRemovalDisallowed), 3 with the password',
  removal_password BLOB NULL COMMENT 'RemovalPassword, sealed',
  web TINYINT NOT NULL DEFAULT 0 COMMENT '1: people may fetch it from the web page',
  PRIMARY KEY (profile_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what each version of an enrolment profile says';

CREATE TABLE enroll_profile_item (
  profile_id BIGINT NOT NULL COMMENT 'enroll_profile.id',
  version INT NOT NULL COMMENT 'enroll_profile_version.version',
  kind TINYINT NOT NULL COMMENT '1 configuration profile, 2 app',
  name VARCHAR(255) NOT NULL COMMENT 'its name in the library',
  place SMALLINT NOT NULL COMMENT 'its place in the list',
  PRIMARY KEY (profile_id, version, kind, name),
  KEY name (kind, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='profiles and apps that a device gets which enrolled with it';

CREATE TABLE handout (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  profile_id BIGINT NULL COMMENT 'enroll_profile.id; NULL: as configured, before there were objects',
  profile_version INT NULL COMMENT 'its version',
  way TINYINT NOT NULL COMMENT '1 invitation, 2 open address, 3 web page, 4 configuration URL, 5 profile service, 6 account-driven, 7 renewal',
  token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'random word in its CheckInURL, where the identity does not lead here',
  topic VARCHAR(255) NOT NULL COMMENT 'Topic it was given out with; a renewed profile keeps it',
  server_url VARCHAR(255) NOT NULL COMMENT 'ServerURL; kept too',
  checkin_url VARCHAR(512) NOT NULL COMMENT 'CheckInURL; kept too',
  access_rights INT NOT NULL COMMENT 'AccessRights; kept too',
  server_capabilities VARCHAR(255) NOT NULL COMMENT 'ServerCapabilities; per-user-connections is kept too',
  managed_account VARCHAR(255) NULL COMMENT 'AssignedManagedAppleID; kept too',
  enrollment_mode VARCHAR(8) CHARACTER SET ascii NULL COMMENT 'EnrollmentMode; kept too',
  account_kind TINYINT NOT NULL DEFAULT 0 COMMENT 'who asked: 0 nobody who logged in, 1 enroll_user, 2 the web server''s REMOTE_USER, 3 a managed account',
  account VARCHAR(255) NULL COMMENT 'that person''s login name',
  invitation_id BIGINT NULL COMMENT 'invitation.id',
  address VARCHAR(64) NULL COMMENT 'where it was fetched from',
  made_at BIGINT NOT NULL COMMENT 'when',
  PRIMARY KEY (id),
  UNIQUE KEY token (token),
  KEY profile (profile_id),
  KEY made (made_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='enrolment profiles that were given out: what they said, and to whom';

ALTER TABLE scep_challenge
  ADD COLUMN handout_id BIGINT NULL COMMENT 'handout.id of the profile it stands in';

ALTER TABLE identity_cert
  ADD COLUMN handout_id BIGINT NULL COMMENT 'handout.id of the profile it was issued for',
  ADD KEY handout (handout_id);

ALTER TABLE life
  ADD COLUMN handout_id BIGINT NULL COMMENT 'handout.id of the profile that is installed; NULL: not known',
  ADD KEY handout (handout_id);

ALTER TABLE invitation
  ADD COLUMN profile_id BIGINT NULL COMMENT 'enroll_profile.id it gives; NULL: that named default',
  ADD COLUMN revoked_at BIGINT NULL COMMENT 'when it was taken back; NULL: it was not';
