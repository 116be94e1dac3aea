-- People who enrol devices and log in on managed Macs, and what keeps guessing of passwords slow.

CREATE TABLE enroll_user (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'internal name',
  name VARCHAR(128) NOT NULL COMMENT 'login name',
  full_name VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'for people',
  password_hash VARCHAR(255) NOT NULL COMMENT 'scrypt, for a login by web page',
  ha1_md5 BLOB NOT NULL COMMENT 'HA1 of HTTP Digest with MD5, sealed: the signer compares, nobody opens it',
  ha1_sha256 BLOB NOT NULL COMMENT 'the same with SHA-256',
  created_at BIGINT NOT NULL COMMENT 'when the account was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  password_at BIGINT NOT NULL COMMENT 'when the password was set',
  disabled_at BIGINT NULL COMMENT 'no login since',
  PRIMARY KEY (id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='local users: they enrol devices and log in on Macs';

CREATE TABLE user_auth (
  ident VARCHAR(255) NOT NULL COMMENT 'enrollment id of the user channel',
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  life_id BIGINT NOT NULL COMMENT 'life.id of the device in which the user logged in',
  nonce_sha256 BINARY(32) NULL COMMENT 'digest of the nonce of the last challenge; NULL: used up',
  nonce_expires_at BIGINT NOT NULL DEFAULT 0 COMMENT 'not accepted later',
  nonce_count BIGINT NOT NULL DEFAULT 0 COMMENT 'highest nc seen with it',
  token_sha256 BINARY(32) NULL COMMENT 'digest of the AuthToken; NULL: no login since the challenge',
  account VARCHAR(128) NULL COMMENT 'enroll_user.name that logged in',
  token_at BIGINT NULL COMMENT 'when',
  PRIMARY KEY (ident),
  KEY device (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='network users of Macs: challenge and AuthToken';

CREATE TABLE login_throttle (
  subject VARCHAR(255) NOT NULL COMMENT 'account:NAME or address:ADDRESS',
  failures INT NOT NULL COMMENT 'attempts that failed, or are under way',
  last_at BIGINT NOT NULL COMMENT 'the last one',
  free_at BIGINT NOT NULL COMMENT 'no attempt is judged before',
  PRIMARY KEY (subject),
  KEY last (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='wrong passwords: slowed, then blocked';
