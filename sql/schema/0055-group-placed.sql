-- Who brings a device into a group has the group's commands done to it: of a sensitive one that
-- somebody else must approve, this is who asks.
ALTER TABLE group_member
  ADD COLUMN by_whom VARCHAR(128) NULL COMMENT 'who put it into the group, or wrote the filter that did; NULL: it came in before this was noted';
ALTER TABLE approval
  ADD COLUMN placed_by VARCHAR(128) NULL COMMENT 'of a command of a group that is in force: it is about devices of this group_member.by_whom';
