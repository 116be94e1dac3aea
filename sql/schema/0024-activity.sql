-- What the console's overview shows without counting the fleet at each look: kept by the agent.

CREATE TABLE activity (
  hour BIGINT NOT NULL COMMENT 'beginning of the hour',
  seen BIGINT NOT NULL DEFAULT 0 COMMENT 'devices and users last seen in it, as far as it was looked at while it lasted',
  answered BIGINT NOT NULL DEFAULT 0 COMMENT 'commands that ended in it',
  failed BIGINT NOT NULL DEFAULT 0 COMMENT 'of these, with an error',
  enrolled BIGINT NOT NULL DEFAULT 0 COMMENT 'devices that enrolled in it',
  PRIMARY KEY (hour)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what happened, hour by hour';

CREATE TABLE fleet_share (
  state TINYINT NOT NULL COMMENT 'as enrollment.state',
  platform VARCHAR(16) NOT NULL COMMENT 'platform as people call it; empty: not known',
  os_version VARCHAR(32) NOT NULL COMMENT 'OSVersion; empty: not told',
  devices BIGINT NOT NULL COMMENT 'devices that are so',
  seen_day BIGINT NOT NULL COMMENT 'of these, seen within a day',
  seen_week BIGINT NOT NULL COMMENT 'and within a week',
  counted_at BIGINT NOT NULL COMMENT 'when they were counted',
  PRIMARY KEY (state, platform, os_version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how many devices are alike';
