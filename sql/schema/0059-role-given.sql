-- Whether a role was given by the configuration, with which it falls, or by somebody.
ALTER TABLE admin
  ADD COLUMN role_ruled TINYINT NOT NULL DEFAULT 0 COMMENT '1: [console] remote_roles or remote_role gave the role, and takes it away; 0: a person did';
UPDATE admin SET role_ruled = 1 WHERE origin = 'remote' AND COALESCE((SELECT l.actor FROM audit l WHERE l.subject = admin.name AND l.action = 'admin.role' ORDER BY l.id DESC LIMIT 1), 'REMOTE_USER') = 'REMOTE_USER';
