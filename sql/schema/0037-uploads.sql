-- Files of apps on their way through the browser: they go on when the person leaves the page.

CREATE TABLE app_upload (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  asset CHAR(32) NOT NULL COMMENT 'name of the file in [assets] dir',
  filename VARCHAR(255) NOT NULL COMMENT 'what the browser calls it',
  item_id BIGINT NULL COMMENT 'library_item.id that gets a version; NULL: the app that the file is',
  size BIGINT NOT NULL COMMENT 'octets that there will be',
  received BIGINT NOT NULL DEFAULT 0 COMMENT 'octets that have come',
  state TINYINT NOT NULL COMMENT '1 it comes, 2 it is read, 3 done, 4 failed, 5 stopped',
  why VARCHAR(400) NOT NULL DEFAULT '' COMMENT 'why it failed',
  done_item BIGINT NULL COMMENT 'library_item.id it became, or got a version of',
  started_at BIGINT NOT NULL COMMENT 'when it began',
  started_by VARCHAR(128) NOT NULL COMMENT 'by whom; nobody else goes on with it',
  changed_at BIGINT NOT NULL COMMENT 'when the last part came, or it ended',
  PRIMARY KEY (id),
  KEY changed (changed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='files of apps that are uploaded in the console';
