-- Jobs that are over are kept as long as the other histories ([history] days): the oldest are found.
ALTER TABLE bulk_job ADD KEY ended (ended_at);
