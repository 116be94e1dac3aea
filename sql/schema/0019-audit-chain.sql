-- The audit log as a chain: each link's digest covers the entry and the link before, so that an
-- entry that was changed or taken out later is found (droverctl audit verify). The agent adds links.

CREATE TABLE audit_chain (
  seq BIGINT NOT NULL COMMENT 'number of the link, from 1, without gaps',
  audit_id BIGINT NOT NULL COMMENT 'audit.id of the entry',
  digest BINARY(32) NOT NULL COMMENT 'SHA-256 of the digest before (the first: 32 zeros) and the entry',
  PRIMARY KEY (seq),
  UNIQUE KEY audit (audit_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='links of the audit log; rows are only added';
