-- Renewal of device identities before they expire.

CREATE TABLE renewal (
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  cert_sha256 BINARY(32) NOT NULL COMMENT 'the identity that is to be replaced',
  not_after BIGINT NOT NULL COMMENT 'its last moment',
  state TINYINT NOT NULL COMMENT '1 planned, 2 under way (command queued or sent), 3 done (the new identity was seen in use)',
  due_at BIGINT NOT NULL COMMENT 'of a planned one: not begun earlier; of one under way: given up then',
  attempts SMALLINT NOT NULL DEFAULT 0 COMMENT 'how often it was begun',
  command_uuid VARCHAR(128) NULL COMMENT 'CommandUUID of the last InstallProfile',
  started_at BIGINT NULL COMMENT 'last beginning',
  failed_at BIGINT NULL COMMENT 'last failure',
  failed_why VARCHAR(255) NULL COMMENT 'its reason',
  done_at BIGINT NULL COMMENT 'when the new identity was seen in use',
  PRIMARY KEY (device_id),
  KEY due (state, due_at),
  KEY started (started_at),
  KEY failed (failed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='identities that are being renewed, one row for each device';
