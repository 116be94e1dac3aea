-- Settings that are changed while the programs run, where drover.conf is silent.
CREATE TABLE setting (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'key of drover.conf(5) as section.name',
  value TEXT NOT NULL COMMENT 'as the file would have it',
  changed_at BIGINT NOT NULL COMMENT 'when it was set',
  changed_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='settings in force, beside drover.conf';

INSERT INTO site (name, value) VALUES ('settings', NULL);
