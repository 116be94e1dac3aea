-- Revocation lists of the CAs that are trusted beside Drover's own.

CREATE TABLE trust_crl (
  ca_sha256 BINARY(32) NOT NULL COMMENT 'trust_ca.sha256 of the CA that signed it',
  crl MEDIUMBLOB NOT NULL COMMENT 'the list, DER',
  entries BIGINT NOT NULL COMMENT 'how many certificates it names',
  this_update BIGINT NOT NULL COMMENT 'when it was made, by its own word',
  next_update BIGINT NULL COMMENT 'when the next is due; NULL: it does not say',
  added_at BIGINT NOT NULL COMMENT 'when it was stored',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (ca_sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='revocation lists, the newest of each trusted CA';
