-- Requests for push certificates whose keys the signer has made, and the certificates with which an
-- MDM vendor signs such requests.

CREATE TABLE push_request (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  purpose TINYINT NOT NULL COMMENT '1 a push certificate, 2 a vendor''s MDM signing certificate',
  name VARCHAR(64) NOT NULL COMMENT 'its common name',
  csr BLOB NOT NULL COMMENT 'the request (PKCS#10)',
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of its key''s SubjectPublicKeyInfo, by which its certificate finds it',
  key_sealed BLOB NOT NULL COMMENT 'the key, PEM, sealed until the certificate comes',
  topic VARCHAR(255) NULL COMMENT 'the topic it is to renew; NULL: a new one, or not said',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  done_at BIGINT NULL COMMENT 'when its certificate was stored',
  PRIMARY KEY (id),
  UNIQUE KEY key_sha256 (key_sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='requests for push and vendor certificates made here';

CREATE TABLE vendor_cert (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the certificate''s DER',
  subject VARCHAR(512) NOT NULL COMMENT 'its subject, for people',
  chain_pem MEDIUMBLOB NOT NULL COMMENT 'it, then its issuers up to the root, PEM',
  key_sealed BLOB NOT NULL COMMENT 'its key, PEM, sealed',
  not_after BIGINT NOT NULL COMMENT 'its last moment',
  added_at BIGINT NOT NULL COMMENT 'when it was stored',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='MDM signing certificates: the vendor''s, where Drover is its tool';
