-- Accounts of the console and API keys may be limited to the devices of some groups.

CREATE TABLE scope_group (
  owner BIGINT NOT NULL COMMENT 'who is limited: twice admin.id, or twice apikey.id and one more',
  group_id BIGINT NOT NULL COMMENT 'device_group.id whose devices it reaches',
  PRIMARY KEY (owner, group_id),
  KEY of_group (group_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='groups that limited accounts and keys reach';

ALTER TABLE admin
  ADD COLUMN limited TINYINT NOT NULL DEFAULT 0 COMMENT '1: reaches the devices of its groups in scope_group and nothing else';

ALTER TABLE apikey
  ADD COLUMN limited TINYINT NOT NULL DEFAULT 0 COMMENT '1: reaches the devices of its groups in scope_group and nothing else';

ALTER TABLE bulk_job
  ADD COLUMN scope BIGINT NOT NULL DEFAULT 0 COMMENT 'scope_group.owner of who made it; 0: not limited';
