CREATE TABLE ticks (
  job TEXT NOT NULL,
  due_us BIGINT NOT NULL,
  runs BIGINT NOT NULL,
  PRIMARY KEY (job, due_us)
);
