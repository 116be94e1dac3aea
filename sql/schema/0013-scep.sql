-- SCEP requests that wait for a person, challenges that are bound to names, and what revocation
-- lists and the inventory of identities need.

ALTER TABLE scep_challenge
  ADD COLUMN common_name VARCHAR(64) NULL COMMENT 'the only common name it is good for; NULL: any' AFTER device_id,
  ADD COLUMN san TEXT NULL COMMENT 'the subjectAltNames it is good for, one a line; they go into the certificate' AFTER common_name,
  ADD COLUMN approve TINYINT NOT NULL DEFAULT 0 COMMENT '1: the request waits for a person all the same' AFTER san,
  ADD COLUMN created_by VARCHAR(128) NOT NULL DEFAULT '' COMMENT 'by whom; empty: by Drover itself' AFTER created_at;

ALTER TABLE identity_cert
  ADD COLUMN issuer VARCHAR(255) NULL COMMENT 'subject of the CA that issued it; NULL: not noted (before this column, Drover''s first CA)' AFTER subject,
  ADD KEY key_sha256 (key_sha256),
  ADD KEY revoked (revoked_at);

CREATE TABLE scep_request (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  transaction_sha256 BINARY(32) NOT NULL COMMENT 'digest of transactionID',
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of the requested key''s SubjectPublicKeyInfo',
  transaction_id VARCHAR(255) NOT NULL COMMENT 'transactionID',
  csr_sealed BLOB NOT NULL COMMENT 'the request (PKCS#10), sealed: it holds the challenge',
  subject VARCHAR(512) NOT NULL COMMENT 'the name it asks for, for people',
  common_name VARCHAR(64) NOT NULL COMMENT 'the common name its certificate will have',
  san TEXT NOT NULL COMMENT 'the subjectAltNames its certificate will have, one a line',
  key_text VARCHAR(32) NOT NULL COMMENT 'kind and size of its key, for people',
  proof VARCHAR(32) NOT NULL COMMENT 'what it came with: challenge, static-challenge, nothing',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'what the challenge was made for',
  device_id BIGINT NULL COMMENT 'device whose identity the challenge renews',
  handout_id BIGINT NULL COMMENT 'handout.id of the profile the challenge stood in',
  remote_addr VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'address it came from',
  state TINYINT NOT NULL COMMENT '1 waits, 2 approved, 3 denied, 4 issued',
  created_at BIGINT NOT NULL COMMENT 'when it came',
  expires_at BIGINT NOT NULL COMMENT 'not issued later',
  decided_at BIGINT NULL COMMENT 'when it was approved or denied',
  decided_by VARCHAR(128) NULL COMMENT 'by whom',
  decided_why VARCHAR(255) NULL COMMENT 'the reason given',
  PRIMARY KEY (id),
  UNIQUE KEY request (transaction_sha256, key_sha256),
  KEY state (state, id),
  KEY expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='SCEP requests that wait for a person''s approval, or did';
