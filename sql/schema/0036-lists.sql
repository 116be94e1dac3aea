-- Lists of few devices among many, and what the page of push certificates counts.

ALTER TABLE enrollment
  ADD KEY filters (kind, state, list_platform, list_os);

ALTER TABLE life
  DROP KEY topic,
  ADD KEY topic (topic, state);
