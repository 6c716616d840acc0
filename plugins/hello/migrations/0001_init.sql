CREATE TABLE hello_counts (
  guild_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  hellos BIGINT NOT NULL,
  PRIMARY KEY (guild_id, user_id)
);
