-- Revocation lists, one for each generation of the device CA.

CREATE TABLE crl (
  generation INT NOT NULL COMMENT 'of the CA that signed it',
  issuer VARCHAR(255) NOT NULL COMMENT 'that CA''s subject',
  number BIGINT NOT NULL COMMENT 'its number, one more each time',
  der MEDIUMBLOB NOT NULL COMMENT 'the list',
  entries BIGINT NOT NULL COMMENT 'how many certificates it names',
  made_at BIGINT NOT NULL COMMENT 'thisUpdate',
  next_at BIGINT NOT NULL COMMENT 'nextUpdate',
  PRIMARY KEY (generation)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='the present revocation lists';
