-- Checks that the agent makes for others, as it alone opens connections to the outside.
CREATE TABLE checkup (
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'which checks: network',
  asked_at BIGINT NULL COMMENT 'when somebody last asked for them',
  asked_by VARCHAR(128) NULL COMMENT 'who',
  begun_at BIGINT NULL COMMENT 'when the agent took that up',
  done_at BIGINT NULL COMMENT 'when the findings below were complete',
  findings MEDIUMTEXT NULL COMMENT 'what was found, as JSON: check, result, detail, fix of each',
  PRIMARY KEY (kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='checks of the installation by the agent';

INSERT INTO checkup (kind) VALUES ('network');
