-- A key of a device serves once, also when two requests come at the same moment.

CREATE TABLE issued_key (
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of the SubjectPublicKeyInfo',
  at BIGINT NOT NULL COMMENT 'when a certificate was first issued for it',
  PRIMARY KEY (key_sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='keys of devices that have served: the first request of two has the key';

INSERT IGNORE INTO issued_key (key_sha256, at)
  SELECT key_sha256, issued_at FROM identity_cert WHERE issued_at IS NOT NULL AND key_sha256 IS NOT NULL;
