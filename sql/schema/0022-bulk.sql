-- One command for many devices, by a filter or a selection: the agent works it off in slices, so
-- that it goes on when the person leaves the page, and can be stopped.

CREATE TABLE bulk_job (
  id BIGINT NOT NULL COMMENT 'internal name, in the order of time (store/id.h)',
  request_type VARCHAR(64) NOT NULL COMMENT 'RequestType of the command',
  state TINYINT NOT NULL COMMENT '1 waits or runs, 2 done, 3 stopped, 4 failed',
  picked TINYINT NOT NULL COMMENT '1: the devices of bulk_target; 0: those of the filter',
  f_text VARCHAR(100) NOT NULL DEFAULT '' COMMENT 'filter: what is searched for',
  f_states INT NOT NULL DEFAULT 0 COMMENT 'filter: bits 1 << enrollment.state; 0: all',
  f_platform VARCHAR(16) NOT NULL DEFAULT '' COMMENT 'filter: platform',
  f_os VARCHAR(32) NOT NULL DEFAULT '' COMMENT 'filter: beginning of the system version',
  f_seen_before BIGINT NOT NULL DEFAULT 0 COMMENT 'filter: last seen before; 0: any',
  total BIGINT NOT NULL COMMENT 'devices that it was for when it was made',
  queued BIGINT NOT NULL DEFAULT 0 COMMENT 'devices for which the command was queued',
  refused BIGINT NOT NULL DEFAULT 0 COMMENT 'devices that cannot have it',
  last_id BIGINT NOT NULL DEFAULT 0 COMMENT 'enrollment.id up to which it is done',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  ended_at BIGINT NULL COMMENT 'when it was done, stopped or failed',
  ended_why VARCHAR(255) NULL COMMENT 'by whom it was stopped, or why it failed',
  PRIMARY KEY (id),
  KEY state (state, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='commands for many devices, under way and done';

CREATE TABLE bulk_target (
  job_id BIGINT NOT NULL COMMENT 'bulk_job.id',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  PRIMARY KEY (job_id, enrollment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='devices that were picked one by one';
