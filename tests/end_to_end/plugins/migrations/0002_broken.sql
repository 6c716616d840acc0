CREATE TABLE half_done (id BIGINT PRIMARY KEY);
ALTER TABLE there_is_no_such_table ADD COLUMN x BIGINT;
