-- Lists of a large fleet: what few have is found in an index.

ALTER TABLE life ADD KEY push_dead (push_dead_at);

-- Identities by the words of their subjects; the agent makes them follow.
ALTER TABLE identity_cert
  ADD COLUMN word_due TINYINT NOT NULL DEFAULT 1 COMMENT '1: identity_word has not followed yet',
  ADD KEY word_due (word_due),
  ADD KEY renews (renews_device_id);

CREATE TABLE identity_word (
  word VARCHAR(48) COLLATE utf8mb4_general_ci NOT NULL COMMENT 'a word of a subject, letters and digits only',
  sha256 BINARY(32) NOT NULL COMMENT 'identity_cert.sha256',
  PRIMARY KEY (word, sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what identities are found by';

-- The devices of an item that are in one state, page by page.
ALTER TABLE device_item ADD KEY of_state (item_id, state, enrollment_id);

-- What the agent counts, so that a page need not.
CREATE TABLE topic_count (
  topic VARCHAR(255) NOT NULL COMMENT 'life.topic of channels in force',
  channels BIGINT NOT NULL COMMENT 'how many have it',
  PRIMARY KEY (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='topics that devices are pushed by';

CREATE TABLE order_count (
  order_id BIGINT NOT NULL COMMENT 'standing_order.id',
  counted_at BIGINT NOT NULL COMMENT 'when',
  pending BIGINT NOT NULL COMMENT 'devices in state 1',
  queued BIGINT NOT NULL COMMENT 'in state 2',
  done BIGINT NOT NULL COMMENT 'in state 3',
  failed BIGINT NOT NULL COMMENT 'in state 4',
  not_applicable BIGINT NOT NULL COMMENT 'in state 5',
  withdrawn BIGINT NOT NULL COMMENT 'in state 6',
  waiting BIGINT NOT NULL COMMENT 'in state 7',
  PRIMARY KEY (order_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how far devices are with the commands of groups';

CREATE TABLE tag_count (
  tag VARCHAR(64) NOT NULL COMMENT 'device_tag.tag',
  devices BIGINT NOT NULL COMMENT 'how many have it: counted by each change',
  PRIMARY KEY (tag)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='tags that devices have';
REPLACE INTO tag_count (tag, devices) SELECT tag, COUNT(*) FROM device_tag GROUP BY tag;
