-- The calendar of everything with an end on which management hangs.

CREATE TABLE expiry (
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what it is, as device-identities or scep-ca',
  name VARCHAR(128) NOT NULL COMMENT 'which of them',
  ends_at BIGINT NOT NULL COMMENT 'its last moment; of several, that of the first to end',
  count BIGINT NOT NULL DEFAULT 1 COMMENT 'how many they are',
  detail VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'the rest, for people',
  seen_at BIGINT NOT NULL COMMENT 'when the agent last saw it',
  PRIMARY KEY (kind, name),
  KEY ends (ends_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ends that no other table knows, or that are dear to add up: the agent looks hourly';

CREATE TABLE calendar_feed (
  name VARCHAR(64) NOT NULL COMMENT 'whose calendar reads it',
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the token in its address',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  last_used_at BIGINT NULL COMMENT 'last read, true to an hour',
  PRIMARY KEY (name),
  UNIQUE KEY sha256 (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='addresses of the calendar as iCalendar; a revoked one is deleted';
