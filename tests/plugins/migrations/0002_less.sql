CREATE TABLE notes (id BIGINT PRIMARY KEY);
UPDATE totals SET messages = messages + 1000;
