CREATE TABLE steps (
  work TEXT NOT NULL,
  step BIGINT NOT NULL,
  times BIGINT NOT NULL,
  PRIMARY KEY (work, step)
);

CREATE TABLE totals (
  work TEXT NOT NULL PRIMARY KEY,
  steps BIGINT NOT NULL
);

CREATE TABLE noted (
  work TEXT NOT NULL,
  step BIGINT NOT NULL
);
